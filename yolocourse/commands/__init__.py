"""What the commands of `yolocourse` do, each a plain function of its arguments."""
