"""/etc/hosts and /etc/resolv.conf of a step."""

from __future__ import annotations

import pytest

from builder.executor.names import Resolver, hosts_file, resolver

STUB = "nameserver 127.0.0.53\noptions edns0\nsearch example.org\n"
REAL = "search example.org\nnameserver 192.0.2.53\nnameserver 127.0.0.1\nnameserver 2001:db8::53\n"


def test_hosts_name_the_container_and_the_extra_hosts() -> None:
    assert hosts_file("", [("db", "192.0.2.7")]) == (
        "127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n192.0.2.7\tdb\n"
    )


def test_hosts_carry_the_hostname_that_was_asked_for() -> None:
    assert hosts_file("forge", []).startswith("127.0.0.1\tlocalhost forge\n")


def test_the_default_network_gets_the_nameservers_that_are_not_loopback() -> None:
    assert resolver("default", [REAL]) == Resolver(
        "search example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n", forwarded=False
    )


def test_behind_a_local_stub_the_real_nameservers_are_used() -> None:
    assert resolver("default", [STUB, REAL]).text.count("192.0.2.53") == 1


@pytest.mark.parametrize("address", ["127.0.0.53", "::1", "fe80::1%eth0"])
def test_without_a_reachable_nameserver_queries_are_forwarded(address: str) -> None:
    text = f"nameserver {address}\nsearch example.org\n"
    assert resolver("default", [text]) == Resolver(
        "search example.org\nnameserver 169.254.1.1\n", forwarded=True
    )


def test_a_host_without_a_configuration_still_forwards() -> None:
    assert resolver("default", []) == Resolver("nameserver 169.254.1.1\n", forwarded=True)


def test_a_step_without_network_has_no_nameserver() -> None:
    assert resolver("none", [REAL]) == Resolver("", forwarded=False)


def test_a_step_on_the_host_network_has_the_hosts_own_file() -> None:
    assert resolver("host", [STUB, REAL]) == Resolver(STUB, forwarded=False)


def test_an_address_that_only_begins_like_loopback_is_kept() -> None:
    assert "::1234" in resolver("default", ["nameserver ::1234\n"]).text
