"""dockyard's engine, and the Python API on top of it.

Everything that a program needs is named here and loaded on first use, because importing one small room
must not cost the start-up time of all the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.api import (
        Base,
        BuildOptions,
        BuildResult,
        CacheOnlyOutput,
        ImageOutput,
        OciOutput,
        PlatformResult,
        PlatformsFailed,
        build,
        find_base,
    )

__all__ = [
    "Base",
    "BuildOptions",
    "BuildResult",
    "CacheOnlyOutput",
    "ImageOutput",
    "OciOutput",
    "PlatformResult",
    "PlatformsFailed",
    "build",
    "find_base",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("builder.api"), name)
    raise AttributeError(f"module 'builder' has no attribute {name!r}")
