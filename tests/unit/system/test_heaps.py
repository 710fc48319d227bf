"""Threads share a few heaps, whatever their number."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each thread holds memory while the others ask for theirs, and all heaps are listed while they live.
HEAPS = """
import ctypes, os, sys, threading
from builder.system.heaps import share_heaps
if sys.argv[1:]:
    share_heaps(int(sys.argv[1]))
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
together, done = threading.Barrier(9), threading.Event()
def hold():
    libc.malloc(5000)
    together.wait()
    done.wait()
for _ in range(8):
    threading.Thread(target=hold, daemon=True).start()
together.wait()
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
os._exit(0)
"""


def heaps(*arguments: str) -> int:
    command = [sys.executable, "-c", HEAPS, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("<heap nr=")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="heaps are those of glibc")
def test_threads_share_the_heaps_that_they_are_given() -> None:
    assert heaps() > 2
    assert heaps("2") == 2
