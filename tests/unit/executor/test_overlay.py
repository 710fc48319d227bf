"""Overlays of more directories than Linux stacks are refused in words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from builder.executor.errors import ExecutorError
from builder.executor.overlay import mount_lower, open_directory

if TYPE_CHECKING:
    from pathlib import Path


def test_more_directories_than_linux_stacks_are_refused_with_their_number(tmp_path: Path) -> None:
    directory = open_directory(str(tmp_path))
    try:
        with pytest.raises(ExecutorError, match="too many layers for one step: 501, and Linux stacks 500"):
            mount_lower(str(tmp_path), [directory] * 501)
    finally:
        os.close(directory)
