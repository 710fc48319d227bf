"""Drivers: which image stores there are, and which one is active.

The choice is a small file in the state root, so it holds for every process that uses the root. What a store
keeps that is not active stays on disk, out of sight, because each driver has a namespace of its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from builder.store.admission import (
    ATTESTATION_REFUSED,
    MULTI_PLATFORM_REFUSED,
    require_attestations,
    require_multi_platform,
)
from builder.store.database import Database, Schema
from builder.store.embedded import EmbeddedStore
from builder.store.errors import DriverError, StoreError
from builder.store.protocol import Capabilities
from builder.store.root import open_root
from builder.store.tables import SCHEMA
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from builder.store.root import Root

__all__ = [
    "ATTESTATION_REFUSED",
    "DRIVERS",
    "MULTI_PLATFORM_REFUSED",
    "Driver",
    "DriverError",
    "StoreSummary",
    "active_driver",
    "open_store",
    "require_attestations",
    "require_multi_platform",
    "summarize",
    "use_driver",
]

_FILE: Final = "store.json"


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """A way to store images. `store` names what keeps them, `namespace` where in the state root."""

    name: str
    store: str
    namespace: str
    capabilities: Capabilities


CONTAINERD: Final = Driver(
    name="containerd",
    store="containerd image store, embedded",
    namespace="default",
    capabilities=Capabilities(name="containerd", multi_platform=True, attestations=True),
)
CLASSIC: Final = Driver(
    name="docker",
    store="classic image store, embedded",
    namespace="classic",
    capabilities=Capabilities(name="docker", multi_platform=False, attestations=False),
)
DRIVERS: Final = {driver.name: driver for driver in (CONTAINERD, CLASSIC)}
_ALIASES: Final = {"classic": CLASSIC.name, "embedded": CONTAINERD.name}


class StoreSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A store for people to choose from; `images` counts names, `size` the bytes of its blobs."""

    driver: Driver
    active: bool
    images: int
    size: int


class _Choice(msgspec.Struct, frozen=True):
    active: str


def find_driver(name: str) -> Driver:
    """The driver called so; `classic` also means the docker driver. Raises: UsageError."""
    try:
        return DRIVERS[_ALIASES.get(name, name)]
    except KeyError:
        raise UsageError(f"no driver {name!r}; there are: {', '.join(DRIVERS)}") from None


def active_driver(root: Root) -> Driver:
    """The driver that was chosen last; the containerd driver at first.

    Raises: StoreError when the choice cannot be read.
    """
    path = root.path / _FILE
    try:
        choice = msgspec.json.decode(path.read_bytes(), type=_Choice)
        return find_driver(choice.active)
    except FileNotFoundError:
        return CONTAINERD
    except (msgspec.DecodeError, UnicodeDecodeError, UsageError) as error:
        raise StoreError(
            f"{path} does not say which store is active: {error}",
            hint="choose one with `dockyard store use containerd`",
        ) from error


def use_driver(root: Root, name: str) -> Driver:
    """Makes that driver the active one for every command from now on. Raises: UsageError."""
    driver = find_driver(name)
    temporary = root.path / f".{_FILE}.{os.urandom(4).hex()}"
    temporary.write_bytes(msgspec.json.encode(_Choice(driver.name)) + b"\n")
    temporary.replace(root.path / _FILE)
    return driver


def open_store(path: Path, *, driver: str | None = None, schemas: Sequence[Schema] = ()) -> EmbeddedStore:
    """Opens the state root `path` and the store of `driver`, or of the active one.

    `schemas` are tables that other rooms keep in the database. The caller closes the store.
    Raises: StoreError, UsageError.
    """
    root = open_root(path)
    chosen = active_driver(root) if driver is None else find_driver(driver)
    database = Database(root.database, (SCHEMA, *schemas))
    return EmbeddedStore(root, database, chosen.namespace, chosen.capabilities)


def summarize(root: Root, database: Database) -> tuple[StoreSummary, ...]:
    """Every store of the state root, in the order in which drivers are listed. Raises: StoreError."""
    active = active_driver(root)
    return tuple(
        StoreSummary(
            driver=driver,
            active=driver == active,
            images=_count(database, "SELECT COUNT(*) FROM images WHERE namespace = ?", driver),
            size=_count(database, "SELECT COALESCE(SUM(size), 0) FROM content WHERE namespace = ?", driver),
        )
        for driver in DRIVERS.values()
    )


def _count(database: Database, query: str, driver: Driver) -> int:
    return int(database.read(query, (driver.namespace,))[0][0])
