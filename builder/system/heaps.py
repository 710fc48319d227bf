"""The heaps of the C library: how many of them the threads share.

glibc gives up to eight heaps a core to threads, so that they never wait for each other, and each keeps what its
threads have freed. Here threads come and go, hold the interpreter's lock for most of what they allocate, and free
buffers of a megabyte: the heaps would hold half of the memory of a large build. Source: mallopt(3).
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8


def share_heaps(count: int) -> None:
    """Lets threads that start from now on share `count` heaps; a C library without such heaps is left alone."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, count)
