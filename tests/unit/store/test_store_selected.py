"""Which store people's images are in: the state root's own, or a daemon's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from builder.store.containerd.address import Address
from builder.store.containerd.errors import ConnectionLost
from builder.store.errors import StoreError
from builder.store.root import open_root
from builder.store.selection import (
    active_address,
    environment_address,
    open_selected,
    open_store,
    summarize,
    use_driver,
)
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from containerd_daemon import Daemon

NOBODY = Address("/nonexistent/containerd.sock")


def test_without_an_address_the_selected_store_is_the_embedded_one(tmp_path: Path) -> None:
    with open_selected(tmp_path / "root") as store, store.lease() as lease:
        lease.content.put(b"here")
        assert (tmp_path / "root" / "dockyard.db").exists()


def test_the_choice_of_a_daemon_is_remembered(tmp_path: Path) -> None:
    root = open_root(tmp_path / "root")
    use_driver(root, "containerd", Address("/run/c.sock", "k8s.io"))
    assert active_address(root) == Address("/run/c.sock", "k8s.io")


def test_choosing_a_driver_without_address_forgets_the_daemon(tmp_path: Path) -> None:
    root = open_root(tmp_path / "root")
    use_driver(root, "containerd", NOBODY)
    use_driver(root, "containerd")
    assert active_address(root) is None


def test_a_driver_that_has_no_daemon_refuses_an_address(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the docker driver has no address"):
        use_driver(open_root(tmp_path / "root"), "docker", NOBODY)


def test_the_address_of_one_command_goes_before_the_chosen_one(tmp_path: Path) -> None:
    use_driver(open_root(tmp_path / "root"), "containerd", Address("/chosen"))
    with pytest.raises(ConnectionLost, match=f"{NOBODY.url} does not answer"):
        open_selected(tmp_path / "root", address=NOBODY)


def test_the_docker_driver_takes_no_notice_of_a_daemon(tmp_path: Path) -> None:
    with open_selected(tmp_path / "root", driver="docker", address=NOBODY) as store:
        assert store.capabilities.name == "docker"


def test_a_build_works_in_the_state_root_even_when_a_daemon_is_chosen(tmp_path: Path) -> None:
    use_driver(open_root(tmp_path / "root"), "containerd", NOBODY)
    with open_store(tmp_path / "root") as store:
        assert store.namespace == "default"


def test_a_chosen_address_that_is_none_says_how_to_choose_again(tmp_path: Path) -> None:
    root = open_root(tmp_path / "root")
    (root.path / "store.json").write_text('{"active":"containerd","address":{"socket":"relative"}}')
    with pytest.raises(StoreError, match="dockyard store use containerd"):
        active_address(root)


def test_the_environment_names_a_daemon_as_for_its_own_client() -> None:
    named = {"CONTAINERD_ADDRESS": "/run/c.sock", "CONTAINERD_NAMESPACE": "k8s.io"}
    assert environment_address(named) == Address("/run/c.sock", "k8s.io")
    assert environment_address({"CONTAINERD_ADDRESS": "/run/c.sock"}) == Address("/run/c.sock")
    assert environment_address({"CONTAINERD_NAMESPACE": "k8s.io"}) is None


def test_a_daemon_that_does_not_answer_is_listed_as_such(tmp_path: Path) -> None:
    use_driver(open_root(tmp_path / "root"), "containerd", NOBODY)
    with open_store(tmp_path / "root") as store:
        *embedded, daemon = summarize(store.root, store.database)
    assert [each.active for each in embedded] == [False, False]
    assert (daemon.active, daemon.driver.store) == (
        True,
        "containerd (does not answer) at unix:///nonexistent/containerd.sock",
    )


@pytest.mark.root
def test_a_chosen_daemon_is_listed_with_what_it_holds(tmp_path: Path, daemon: Daemon) -> None:
    use_driver(open_root(tmp_path / "root"), "containerd", daemon.address("listed"))
    with open_selected(tmp_path / "root") as selected, selected.lease() as lease:
        lease.content.put(b"12345")
        with open_store(tmp_path / "root") as store:
            listed = summarize(store.root, store.database)[-1]
    assert (listed.active, listed.images, listed.size, listed.driver.namespace) == (True, 0, 5, "listed")


def test_choosing_a_store_does_not_load_grpc() -> None:
    program = (
        "import sys, builder.store.selection; sys.exit('grpc' in sys.modules or 'google' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
