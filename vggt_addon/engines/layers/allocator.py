"""Make freed memory really free: for a process that runs networks on the CPU.

This module imports nothing beyond the standard library.

A forward pass allocates and frees tensors of some megabytes thousands of times. glibc learns from that to keep such
pieces in its own heap, where they lie scattered and are not given back: the process holds up to three times what
the tensors need (measured in benchmarks/networks.py). With a fixed threshold each large tensor is mapped for itself
and unmapped when it dies. Other systems' allocators are left as they are.
"""

import ctypes
import logging
import platform

LARGE = 2 * 2**20  # bytes: pieces from this size on are mapped one by one; smaller ones cost more than they save
_M_MMAP_THRESHOLD = -3  # of <malloc.h>

log = logging.getLogger(__name__)


def return_freed_memory() -> bool:
    """For engines and benchmarks to call before they load weights; whether this system's allocator took the setting."""
    if platform.libc_ver()[0] != "glibc":
        return False
    taken = bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE))
    if not taken:
        log.warning("glibc did not take mallopt(M_MMAP_THRESHOLD); the process will hold more memory than it needs")
    return taken
