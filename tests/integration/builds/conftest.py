"""The project that each test of builds gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from building import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, dockyard_root: Path, busybox_layout: Path) -> Project:
    context = tmp_path / "context"
    context.mkdir()
    return Project(context, dockyard_root, busybox_layout)
