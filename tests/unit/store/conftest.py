"""Stores of every kind: each backend meets the whole suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.store.selection import DRIVERS, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import Lease, Store


@pytest.fixture(params=sorted(DRIVERS))
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "root", driver=request.param) as opened:
        yield opened


@pytest.fixture
def any_lease(any_store: Store) -> Iterator[Lease]:
    with any_store.lease() as lease:
        yield lease


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened:
        yield opened
