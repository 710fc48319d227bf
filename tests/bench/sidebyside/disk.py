"""A file system for the measurements: journaled, of known size, gone with this process.

A root file system without a journal makes small files many times slower after a mass deletion, for every
builder alike, and for reasons that have nothing to do with any of them.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from builder.system.linux import CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, unshare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIZE: Final = 32 << 30
_WARM: Final = 2 << 30


@contextmanager
def measured_disk(folder: Path) -> Iterator[Path]:
    """An empty ext4 file system below `folder`, mounted where only this process and its children see it.

    Needs root. Raises: OSError, CalledProcessError.
    """
    image, place = folder / "disk.img", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(_SIZE)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True
    )
    unshare(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    subprocess.run(["mount", "-o", "loop,noatime", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
        image.unlink()


def warm_memory(place: Path) -> None:
    """Touches memory that the machine may have given back: the first writes after a pause are slow for all."""
    filler = place / "filler"
    with filler.open("wb") as file:
        for _ in range(_WARM >> 20):
            file.write(bytes(1 << 20))
    filler.unlink()
