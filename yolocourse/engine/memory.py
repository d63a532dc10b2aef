"""What the C library does with memory that a training step has given back."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST = 32 * 2**20  # bytes; the highest limit that M_MMAP_THRESHOLD takes


def keep_freed_memory() -> bool:
    """Lets the C library keep memory for the next step instead of giving it back to the system; False where it cannot.

    On a processor every step frees its activations, up to some hundred MB. By default glibc hands them back to the
    system, and the next step gets them again page by page, each page wiped: a fifth of a training step of the nano
    network. With this, the process keeps what it once needed. Blocks over 32 MB are given back as before.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
