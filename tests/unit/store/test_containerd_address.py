"""Addresses of daemons: sockets of this machine, and namespaces as containerd allows them."""

from __future__ import annotations

import pytest

from builder.store.containerd.address import Address, parse_address
from builder.system.errors import UsageError


@pytest.mark.parametrize(
    "text", ["unix:///run/containerd/containerd.sock", "/run/containerd/containerd.sock"]
)
def test_a_socket_is_named_by_url_or_by_path(text: str) -> None:
    assert parse_address(text) == Address("/run/containerd/containerd.sock", "default")


def test_an_address_is_shown_as_people_write_it() -> None:
    assert parse_address("/run/c.sock", "k8s.io").url == "unix:///run/c.sock"


@pytest.mark.parametrize(
    "text", ["", "tcp://1.2.3.4:5", "unix://relative", "run/c.sock", "npipe:////./pipe/c"]
)
def test_what_is_no_socket_of_this_machine_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be a socket"):
        parse_address(text)


@pytest.mark.parametrize("namespace", ["", "a b", "-a", "a-", "a..b", "a/b", "é", "a\n", "x" * 77])
def test_a_namespace_that_containerd_would_refuse_is_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match="invalid containerd namespace"):
        parse_address("/run/c.sock", namespace)


@pytest.mark.parametrize("namespace", ["default", "k8s.io", "plugins.moby", "buildkit_history", "x" * 76])
def test_a_namespace_that_others_use_is_accepted(namespace: str) -> None:
    assert parse_address("/run/c.sock", namespace).namespace == namespace
