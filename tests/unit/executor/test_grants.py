"""Entitlements are asked for before anything else happens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from builder.executor import Executor, Step
from builder.executor.errors import EntitlementDenied, ExecutorError
from builder.executor.grants import check_grants
from builder.graph import Exec
from builder.platforms import host_platform

if TYPE_CHECKING:
    from pathlib import Path

TRUE = Exec(base=None, args=("true",), platform=host_platform())
ON_HOST = msgspec.structs.replace(TRUE, network="host")


def test_the_network_of_the_host_needs_a_grant() -> None:
    with pytest.raises(EntitlementDenied, match=r"entitlement network\.host is not allowed"):
        check_grants(ON_HOST, frozenset())


def test_a_granted_entitlement_lets_the_step_pass() -> None:
    check_grants(ON_HOST, frozenset({"network.host"}))


def test_an_insecure_step_needs_a_grant_of_its_own() -> None:
    insecure = msgspec.structs.replace(TRUE, security="insecure")
    with pytest.raises(EntitlementDenied, match=r"entitlement security\.insecure is not allowed"):
        check_grants(insecure, frozenset({"network.host"}))
    check_grants(insecure, frozenset({"security.insecure"}))


def test_an_unknown_security_mode_is_refused_and_not_guessed() -> None:
    with pytest.raises(ExecutorError, match="invalid security mode 'none'"):
        check_grants(msgspec.structs.replace(TRUE, security="none"), frozenset({"security.insecure"}))


@pytest.mark.parametrize("network", ["default", "none"])
def test_private_networks_need_no_grant(network: str) -> None:
    check_grants(msgspec.structs.replace(TRUE, network=network), frozenset())


def test_an_unknown_network_mode_is_refused_and_not_guessed() -> None:
    with pytest.raises(ExecutorError, match="invalid network mode 'bridge'"):
        check_grants(msgspec.structs.replace(TRUE, network="bridge"), frozenset({"network.host"}))


def test_every_way_to_start_a_process_asks_for_the_grant(tmp_path: Path) -> None:
    executor = Executor(trees_dir=tmp_path, run_dir=tmp_path / "run", allow=frozenset())
    step = Step(operation=ON_HOST, lower=(), upper=tmp_path, work=tmp_path)
    with pytest.raises(EntitlementDenied):
        executor.run(step, on_output=print, cancelled=threading.Event())
    with pytest.raises(EntitlementDenied):
        executor.attach(ON_HOST, (), streams=(0, 1, 2), cancelled=threading.Event())
    assert not (tmp_path / "run").exists()
