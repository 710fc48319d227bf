"""A laboratory for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scanning import Laboratory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def laboratory(tmp_path: Path, dockyard_root: Path, busybox_layout: Path) -> Laboratory:
    return Laboratory(tmp_path, dockyard_root, {"busybox": f"oci-layout://{busybox_layout}"})
