"""Every image store within reach: those of the state root, the daemon that was chosen, the engine that listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.store.engine.engine import find_engine
from builder.store.engine.errors import EngineNotFound
from builder.store.protocol import Capabilities
from builder.store.selection import (
    CLASSIC,
    Driver,
    StoreSummary,
    active_name,
    environment_address,
    open_store,
    summarize,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME: Final = "docker"
_UNKNOWN: Final = Capabilities(name=_NAME, multi_platform=False, attestations=False)


def list_stores(root: Path, environ: Mapping[str, str]) -> tuple[StoreSummary, ...]:
    """A summary of each; the docker driver's is an engine, if one listens. Raises: StoreError, UsageError."""
    with open_store(root) as store:
        summaries = summarize(store.root, store.database, environment_address(environ))
        at_engine = active_name(store.root) == CLASSIC.name
    try:
        engine = find_engine(environ)
    except EngineNotFound as error:
        # The list is how people find out; it must not fail with the engine.
        found = _summary(f"Docker Engine (does not answer): {error.message}", _UNKNOWN, (), 0)
    else:
        if engine is None:
            return summaries
        with engine:
            names, size = engine.inventory()
            found = _summary(f"Docker Engine at {engine.address}", engine.capabilities, names, size)
    if not at_engine:
        return (*summaries, found)
    return (*(replace(each, active=False) for each in summaries), replace(found, active=True))


def _summary(store: str, capabilities: Capabilities, names: tuple[str, ...], size: int) -> StoreSummary:
    driver = Driver(name=_NAME, store=store, namespace="", capabilities=capabilities)
    return StoreSummary(driver=driver, active=False, images=len(names), size=size, names=names)
