"""Marks on the directories of trees: extended attributes that say what no layer holds as a file."""

from __future__ import annotations

from typing import Final

OPAQUE_XATTR: Final = "trusted.overlay.opaque"
"""The kernel's: nothing of the layers below shows through."""

UNCHANGED_XATTR: Final = "trusted.dockyard.unchanged"
"""Neither the directory nor what is below it is part of the layer."""
