"""Drivers: which image stores there are, and which one is active.

The choice is a small file in the state root, so it holds for every process that uses the root. What a store
keeps that is not active stays on disk, out of sight, because each driver has a namespace of its own.

The containerd driver has its store here, in the state root, until the address of a daemon is chosen. A build
works in the state root all the same, and delivers to the daemon when it is done.
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
from builder.store.containerd.address import NAMESPACE, Address, parse_address
from builder.store.database import Database, Schema
from builder.store.embedded import EmbeddedStore
from builder.store.errors import DriverError, StoreError
from builder.store.protocol import Capabilities
from builder.store.root import open_root
from builder.store.tables import SCHEMA
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from builder.store.containerd.store import ContainerdStore
    from builder.store.protocol import Store
    from builder.store.root import Root

__all__ = [
    "ATTESTATION_REFUSED",
    "DRIVERS",
    "EMBEDDED_CLASSIC",
    "MULTI_PLATFORM_REFUSED",
    "Driver",
    "DriverError",
    "StoreSummary",
    "active_address",
    "active_driver",
    "active_name",
    "environment_address",
    "open_daemon",
    "open_selected",
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


EMBEDDED_CLASSIC: Final = "classic"
"""The name of the docker driver's own store, for those who want it whether or not an engine listens."""

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
_ALIASES: Final = {EMBEDDED_CLASSIC: CLASSIC.name, "embedded": CONTAINERD.name}


class StoreSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A store for people to choose from; `images` counts `names`, `size` the bytes of its blobs."""

    driver: Driver
    active: bool
    images: int
    size: int
    names: tuple[str, ...] = ()


class _Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    active: str
    address: Address | None = None


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
    return find_driver(active_name(root))


def active_name(root: Root) -> str:
    """The name by which the active driver was chosen: `docker`, or `classic` for its own store whatever listens.

    Raises: StoreError when the choice cannot be read.
    """
    return _choice(root).active


def active_address(root: Root) -> Address | None:
    """The daemon that was chosen with the containerd driver; None for the store in the state root.

    Raises: StoreError when the choice cannot be read.
    """
    return _choice(root).address


def environment_address(environ: Mapping[str, str]) -> Address | None:
    """The daemon that CONTAINERD_ADDRESS and CONTAINERD_NAMESPACE name, as for containerd's own client.

    Raises: UsageError.
    """
    address = environ.get("CONTAINERD_ADDRESS")
    return parse_address(address, environ.get("CONTAINERD_NAMESPACE") or NAMESPACE) if address else None


def use_driver(root: Root, name: str, address: Address | None = None) -> Driver:
    """Makes that driver the active one for every command from now on; with `address`, that daemon's store.

    Raises: UsageError.
    """
    driver = find_driver(name)
    if address is not None and driver != CONTAINERD:
        raise UsageError(f"the {driver.name} driver has no address", hint="leave --address out")
    temporary = root.path / f".{_FILE}.{os.urandom(4).hex()}"
    temporary.write_bytes(
        msgspec.json.encode(_Choice(name if name == EMBEDDED_CLASSIC else driver.name, address)) + b"\n"
    )
    temporary.replace(root.path / _FILE)
    return driver


def open_daemon(
    root: Root, *, driver: str | None = None, address: Address | None = None
) -> ContainerdStore | None:
    """The daemon's store that is selected, opened; None when images are kept in the state root.

    `driver` None is the active one. `address` goes before the one that was chosen; neither counts for drivers
    that have none. The caller closes the store. Raises: StoreError, UsageError.
    """
    chosen = active_driver(root) if driver is None else find_driver(driver)
    found = (address or active_address(root)) if chosen == CONTAINERD else None
    if found is None:
        return None
    # Loaded here because grpc takes longer to import than most commands to run.
    from builder.store.containerd.store import ContainerdStore

    return ContainerdStore(found)


def open_selected(path: Path, *, driver: str | None = None, address: Address | None = None) -> Store:
    """The store where people's images are: a daemon's, or what the state root `path` holds.

    Arguments, and who closes, as for `open_daemon`. Raises: StoreError, UsageError.
    """
    return open_daemon(open_root(path), driver=driver, address=address) or open_store(path, driver=driver)


def open_store(path: Path, *, driver: str | None = None, schemas: Sequence[Schema] = ()) -> EmbeddedStore:
    """Opens the state root `path` and what it holds of the store of `driver`, or of the active one.

    `schemas` are tables that other rooms keep in the database. The caller closes the store.
    Raises: StoreError, UsageError.
    """
    root = open_root(path)
    chosen = active_driver(root) if driver is None else find_driver(driver)
    database = Database(root.database, (SCHEMA, *schemas))
    return EmbeddedStore(root, database, chosen.namespace, chosen.capabilities)


def summarize(root: Root, database: Database, address: Address | None = None) -> tuple[StoreSummary, ...]:
    """Every store of the state root, in the order in which drivers are listed, and the daemon that is selected.

    `address` goes before the one that was chosen. Raises: StoreError.
    """
    choice = _choice(root)
    active = find_driver(choice.active)
    address = address or choice.address
    at_daemon = active == CONTAINERD and address is not None
    embedded = tuple(
        _summarize_embedded(database, driver, active=driver == active and not at_daemon)
        for driver in DRIVERS.values()
    )
    return embedded if address is None else (*embedded, _summarize_daemon(address, active=at_daemon))


def _summarize_embedded(database: Database, driver: Driver, *, active: bool) -> StoreSummary:
    namespace = (driver.namespace,)
    rows = database.read("SELECT name FROM images WHERE namespace = ? ORDER BY name", namespace)
    size = database.read("SELECT COALESCE(SUM(size), 0) FROM content WHERE namespace = ?", namespace)
    names = tuple(str(row[0]) for row in rows)
    return StoreSummary(driver=driver, active=active, images=len(names), size=int(size[0][0]), names=names)


def _summarize_daemon(address: Address, *, active: bool) -> StoreSummary:
    from builder.store.containerd.errors import ConnectionLost
    from builder.store.containerd.store import ContainerdStore

    def described(version: str) -> Driver:
        store = f"containerd {version} at {address.url}"
        return msgspec.structs.replace(CONTAINERD, store=store, namespace=address.namespace)

    try:
        with ContainerdStore(address) as store:
            names = tuple(image.name for image in store.images.all())
            return StoreSummary(
                driver=described(store.version),
                active=active,
                images=len(names),
                size=sum(blob.size for blob in store.content.walk()),
                names=names,
            )
    except ConnectionLost:
        # The list is how people find out; it must not fail with the daemon.
        return StoreSummary(driver=described("(does not answer)"), active=active, images=0, size=0)


def _choice(root: Root) -> _Choice:
    path = root.path / _FILE
    try:
        choice = msgspec.json.decode(path.read_bytes(), type=_Choice)
        find_driver(choice.active)
        if choice.address is not None:
            parse_address(choice.address.socket, choice.address.namespace)
    except FileNotFoundError:
        return _Choice(CONTAINERD.name)
    except (msgspec.DecodeError, UnicodeDecodeError, UsageError) as error:
        raise StoreError(
            f"{path} does not say which store is active: {error}",
            hint="choose one with `dockyard store use containerd`",
        ) from error
    return choice
