"""Drivers: which store is active, and what each of them refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from samples import AMD64, ARM64, put, single

from builder.store.errors import DriverError, StoreError
from builder.store.root import open_root
from builder.store.selection import (
    DRIVERS,
    active_driver,
    open_store,
    require_attestations,
    require_multi_platform,
    summarize,
    use_driver,
)
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_containerd_store_is_active_at_first(tmp_path: Path) -> None:
    assert active_driver(open_root(tmp_path / "root")).name == "containerd"


def test_the_choice_of_a_store_is_remembered(tmp_path: Path) -> None:
    root = open_root(tmp_path / "root")
    use_driver(root, "docker")
    assert active_driver(root).name == "docker"
    with open_store(root.path) as store:
        assert store.capabilities.name == "docker"


def test_a_driver_for_one_command_does_not_change_the_choice(tmp_path: Path) -> None:
    with open_store(tmp_path / "root", driver="docker") as store:
        assert active_driver(store.root).name == "containerd"


def test_the_docker_driver_is_also_called_classic(tmp_path: Path) -> None:
    assert use_driver(open_root(tmp_path / "root"), "classic").name == "docker"


def test_an_unknown_driver_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no driver 'podman'; there are: containerd, docker"):
        use_driver(open_root(tmp_path / "root"), "podman")


def test_a_choice_that_cannot_be_read_says_how_to_choose_again(tmp_path: Path) -> None:
    root = open_root(tmp_path / "root")
    (root.path / "store.json").write_text("{")
    with pytest.raises(StoreError, match="dockyard store use containerd"):
        active_driver(root)


def test_stores_are_listed_with_what_they_hold(tmp_path: Path) -> None:
    sample = single()
    with open_store(tmp_path / "root") as store, store.lease() as lease:
        store.images.set("name", put(lease.content, sample))
        found = summarize(store.root, store.database)
    size = sum(map(len, sample.blobs.values()))
    assert [(each.driver.name, each.active, each.images, each.size) for each in found] == [
        ("containerd", True, 1, size),
        ("docker", False, 0, 0),
    ]


def test_several_platforms_are_refused_in_the_words_of_docker() -> None:
    with pytest.raises(DriverError) as caught:
        require_multi_platform(DRIVERS["docker"].capabilities, (AMD64, ARM64))
    assert str(caught.value) == (
        "Multi-platform build is not supported for the docker driver.\n"
        "Switch to a different driver, or turn on the containerd image store, and try again.\n"
        "Learn more at https://docs.docker.com/go/build-multi-platform/"
    )


def test_attestations_are_refused_in_the_words_of_docker() -> None:
    with pytest.raises(DriverError) as caught:
        require_attestations(DRIVERS["docker"].capabilities)
    assert str(caught.value) == (
        "Attestation is not supported for the docker driver.\n"
        "Switch to a different driver, or turn on the containerd image store, and try again.\n"
        "Learn more at https://docs.docker.com/go/attestations/"
    )


def test_one_platform_and_the_containerd_store_are_never_refused() -> None:
    require_multi_platform(DRIVERS["docker"].capabilities, (AMD64, AMD64))
    require_multi_platform(DRIVERS["containerd"].capabilities, (AMD64, ARM64))
    require_attestations(DRIVERS["containerd"].capabilities)
