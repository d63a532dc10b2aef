"""Data sets: each item is an image and a target."""
