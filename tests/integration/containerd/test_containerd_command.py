"""Choosing a real daemon with the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.registry.peers import serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from builder.store.containerd.address import Address

    Dockyard = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.root


def test_a_daemon_is_chosen_and_listed_as_the_active_store(dockyard: Dockyard, address: Address) -> None:
    chosen = dockyard(
        "store", "use", "containerd", "--address", address.url, "--namespace", address.namespace
    )
    assert chosen.returncode == 0
    assert f"at {address.url}, namespace {address.namespace}" in chosen.stdout
    *_, last = dockyard("store", "ls").stdout.splitlines()
    assert last.startswith("containerd *")
    assert address.url in last


def test_choosing_without_an_address_goes_back_to_the_own_store(dockyard: Dockyard, address: Address) -> None:
    dockyard("store", "use", "containerd", "--address", address.url)
    back = dockyard("store", "use", "containerd")
    assert back.stdout == "containerd: containerd image store, embedded\n"
    assert address.url not in dockyard("store", "ls").stdout


def test_an_address_where_nobody_listens_is_not_chosen(dockyard: Dockyard, tmp_path: Path) -> None:
    refused = dockyard("store", "use", "containerd", "--address", f"unix://{tmp_path}/none")
    assert refused.returncode == 1
    assert "does not answer: No such file or directory" in refused.stderr
    assert "none" not in dockyard("store", "ls").stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("containerd", "--namespace", "k8s.io"), "--namespace needs --address"),
        (("containerd", "--address", "tcp://1.2.3.4:5"), "must be a socket"),
        (("containerd", "--address", "/run/c.sock", "--namespace", "a b"), "invalid containerd namespace"),
    ],
)
def test_a_wrong_choice_is_refused_with_its_reason(
    dockyard: Dockyard, arguments: tuple[str, ...], reason: str
) -> None:
    refused = dockyard("store", "use", *arguments)
    assert refused.returncode == 2
    assert reason in refused.stderr


def test_a_moved_image_is_at_the_daemon_and_comes_back(
    dockyard: Dockyard, address: Address, ctr: Callable[..., str], busybox_layout: Path
) -> None:
    name = "docker.io/library/busybox:moved"
    dockyard("load", "-q", "-i", str(busybox_layout), "-t", name)
    there = ("--to", address.url, "--namespace", address.namespace)
    assert dockyard("store", "move", name, *there).returncode == 0
    assert name in ctr("images", "ls", "-q") and dockyard("images", "-q").stdout == ""

    dockyard("store", "use", "containerd", "--address", address.url, "--namespace", address.namespace)
    assert dockyard("store", "move", name, "--to", "embedded").returncode == 0
    assert name not in ctr("images", "ls", "-q")
    dockyard("store", "use", "containerd")
    assert dockyard("store", "gc", "--check", "--verify").returncode == 0
    assert dockyard("images", "-q").stdout != ""


def test_a_daemon_of_the_environment_is_listed_as_the_active_store(
    dockyard: Dockyard, address: Address
) -> None:
    at_daemon = {"CONTAINERD_ADDRESS": address.url, "CONTAINERD_NAMESPACE": address.namespace}
    own, _, daemon = dockyard("store", "ls", environment=at_daemon).stdout.splitlines()[1:]
    assert daemon.startswith("containerd *") and address.url in daemon
    assert not own.startswith("containerd *")


def test_an_image_goes_from_the_daemon_to_a_registry_and_back(
    dockyard: Dockyard, address: Address, busybox_layout: Path, tmp_path: Path
) -> None:
    at_daemon = {"CONTAINERD_ADDRESS": address.url, "CONTAINERD_NAMESPACE": address.namespace}
    with serve_docker_registry(tmp_path / "registry") as registry:
        name = f"{registry.host}/travels:1"
        dockyard("load", "-q", "-i", str(busybox_layout), "-t", name, environment=at_daemon)
        pushed = dockyard("push", "-q", name, environment=at_daemon)
        dockyard("rmi", name, environment=at_daemon)
        pulled = dockyard("pull", "-q", name, environment=at_daemon)
    assert (pushed.stdout, pulled.stdout) == (f"{name}\n", f"{name}\n"), pushed.stderr + pulled.stderr
    assert "travels" in dockyard("images", environment=at_daemon).stdout
    assert "travels" not in dockyard("images").stdout
