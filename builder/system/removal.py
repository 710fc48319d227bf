"""Directories that go, with all that is in them.

Most of those that a build leaves behind are empty, and then one system call is all it takes. What removes the
others brings the libraries of archives with it, so it is loaded when there is something to remove.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def remove_tree(path: Path) -> None:
    """Removes the directory `path`; what is not there is no error. Raises: OSError."""
    with suppress(FileNotFoundError):
        if not _removed_empty(path):
            import shutil

            shutil.rmtree(path)


def clear_away(path: Path) -> None:
    """Removes as much of the directory `path` as can be removed, and says nothing of the rest."""
    with suppress(FileNotFoundError):
        if not _removed_empty(path):
            import shutil

            shutil.rmtree(path, ignore_errors=True)


def _removed_empty(path: Path) -> bool:
    """Whether `path` was empty, and is gone. Raises: FileNotFoundError."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True
