"""The experiments and the training runs behind the files in data/."""
