"""What the workloads build: contexts made by a script, the same bytes every time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FILES: Final = 20_000
_FILE: Final = 5950
_MEGABYTES: Final = 512
_LETTERS: Final = bytes(b"abcdefghij klmnop"[byte % 17] for byte in range(256))
_WORDS: Final = 4000


def many_files(folder: Path) -> None:
    """20,000 source-like files, 119 MB, in 1,400 directories."""
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz_"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 11))) for _ in range(_WORDS)]
    lines = ["    {} = {}({})\n".format(*chance.choices(words, k=3)) for _ in range(20_000)]
    for number in range(FILES):
        place = folder / f"package{number % 200}" / f"part{number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        text = "".join(chance.choices(lines, k=210))[:_FILE]
        (place / f"module{number}.py").write_text(text)


def one_file(folder: Path) -> None:
    """One file of 512 MB: every other 512 bytes are noise, the rest letters."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = random.Random(2)
    with (folder / "blob").open("wb") as file:
        for _ in range(_MEGABYTES):
            pieces = (noise.randbytes(512) + noise.randbytes(512).translate(_LETTERS) for _ in range(1 << 10))
            file.write(b"".join(pieces))


def hundred_files(folder: Path) -> None:
    """A hundred files of 200 kB."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = random.Random(3)
    for number in range(100):
        (folder / f"file{number}").write_bytes(noise.randbytes(200_000).translate(_LETTERS))


def small_project(folder: Path) -> None:
    """A handful of sources."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(10):
        (folder / f"module{number}.txt").write_text(f"module {number}\n" * 50)
