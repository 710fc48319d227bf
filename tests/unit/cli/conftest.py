"""A command with a state root of its own, and images to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command import Command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "root", capsys)
