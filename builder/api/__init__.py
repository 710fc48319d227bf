"""The Python API: options in, result out. The command is a thin skin on it.

Names load on first use, because reading options must not cost what building costs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from builder.api.bases import Base, find_base
    from builder.api.building import build
    from builder.api.failing import PlatformsFailed
    from builder.api.options import BuildOptions, BuildResult, PlatformResult, Secret
    from builder.api.run_plan import RunWishes
    from builder.api.running import run_image
    from builder.api.storage import check_store, collect_garbage, repair_store
    from builder.cache.remote.places import (
        CacheExport,
        GithubCache,
        InlineCache,
        LocalCache,
        RegistryCache,
        S3Cache,
    )
    from exporter.outputs import (
        CacheOnlyOutput,
        DockerOutput,
        ImageOutput,
        LoadOutput,
        LocalOutput,
        OciOutput,
        TarOutput,
    )

_HOMES: Final = {
    "Base": "builder.api.bases",
    "BuildOptions": "builder.api.options",
    "BuildResult": "builder.api.options",
    "CacheExport": "builder.cache.remote.places",
    "CacheOnlyOutput": "exporter.outputs",
    "DockerOutput": "exporter.outputs",
    "GithubCache": "builder.cache.remote.places",
    "ImageOutput": "exporter.outputs",
    "InlineCache": "builder.cache.remote.places",
    "LoadOutput": "exporter.outputs",
    "LocalCache": "builder.cache.remote.places",
    "LocalOutput": "exporter.outputs",
    "OciOutput": "exporter.outputs",
    "PlatformResult": "builder.api.options",
    "RunWishes": "builder.api.run_plan",
    "PlatformsFailed": "builder.api.failing",
    "RegistryCache": "builder.cache.remote.places",
    "S3Cache": "builder.cache.remote.places",
    "Secret": "builder.api.options",
    "TarOutput": "exporter.outputs",
    "build": "builder.api.building",
    "check_store": "builder.api.storage",
    "collect_garbage": "builder.api.storage",
    "find_base": "builder.api.bases",
    "repair_store": "builder.api.storage",
    "run_image": "builder.api.running",
}
__all__ = [
    "Base",
    "BuildOptions",
    "BuildResult",
    "CacheExport",
    "CacheOnlyOutput",
    "DockerOutput",
    "GithubCache",
    "ImageOutput",
    "InlineCache",
    "LoadOutput",
    "LocalCache",
    "LocalOutput",
    "OciOutput",
    "PlatformResult",
    "PlatformsFailed",
    "RegistryCache",
    "RunWishes",
    "S3Cache",
    "Secret",
    "TarOutput",
    "build",
    "check_store",
    "collect_garbage",
    "find_base",
    "repair_store",
    "run_image",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'builder.api' has no attribute {name!r}")
