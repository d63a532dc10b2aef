"""Shared by all tests: one thread for torch. Tiny convolutions on two busy cores are many times slower with two."""

import torch

torch.set_num_threads(1)
