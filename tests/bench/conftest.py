"""What several benchmarks measure on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

FILES = 20_000


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 files of 300 to 9,000 bytes in 200 directories."""
    root = tmp_path_factory.mktemp("project")
    words = random.Random(1).randbytes(9000)
    for number in range(FILES):
        folder = root / f"package{number % 200}"
        folder.mkdir(exist_ok=True)
        (folder / f"module{number}.py").write_bytes(words[: 300 + number * 7 % 8700])
    return root
