"""Registries on loopback ports, and a client that does not wait long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_registry import TinyRegistry, serve_registry

from builder.oci.reference import parse_reference
from builder.registry.limits import Limits
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries
from builder.store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.registry.repository import Repository
    from builder.store.protocol import Lease

FAST = Limits(attempts=3, first_wait=0, patience=5, silence=5, parallel=2)


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with serve_registry() as registry:
        yield registry


@pytest.fixture
def another() -> Iterator[TinyRegistry]:
    with serve_registry() as registry:
        yield registry


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where configuration is looked for: folders of this test, empty until it writes to them."""
    return {"HOME": str(tmp_path / "home"), "DOCKYARD_HOSTS_DIR": str(tmp_path / "certs.d")}


@pytest.fixture
def registries(environment: dict[str, str]) -> Iterator[Registries]:
    with Registries(environment, limits=FAST) as opened:
        yield opened


@pytest.fixture
def repository(tiny: TinyRegistry, registries: Registries) -> Repository:
    return registries.repository(parse_reference(f"{tiny.host}/a/b"))


@pytest.fixture
def reader(repository: Repository) -> RegistryReader:
    return RegistryReader(repository)


@pytest.fixture
def lease(tmp_path: Path) -> Iterator[Lease]:
    with open_store(tmp_path / "root") as store, store.lease() as held:
        yield held
