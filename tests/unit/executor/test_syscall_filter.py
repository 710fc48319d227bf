"""The system call filter: an allow list, EPERM for what is dangerous, ENOSYS for what is unknown."""

from __future__ import annotations

import errno
from typing import Any

from builder.executor.seccomp import profile


def rules(name: str) -> list[dict[str, Any]]:
    document = profile("x86_64")
    assert document is not None
    listed: Any = document["syscalls"]
    return [rule for rule in listed if name in rule["names"]]


def test_a_call_that_nobody_named_does_not_exist() -> None:
    document = profile("x86_64")
    assert document is not None
    assert (document["defaultAction"], document["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", errno.ENOSYS)


def test_calls_that_leave_the_container_are_not_permitted() -> None:
    for name in (
        "mount",
        "unshare",
        "setns",
        "bpf",
        "kexec_load",
        "init_module",
        "open_by_handle_at",
        "keyctl",
    ):
        assert [(rule["action"], rule["errnoRet"]) for rule in rules(name)] == [
            ("SCMP_ACT_ERRNO", errno.EPERM)
        ]


def test_a_process_can_be_cloned_but_not_into_namespaces() -> None:
    (rule,) = rules("clone")
    assert rule["args"] == [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0x7E020000, "valueTwo": 0}]


def test_the_flags_of_clone_stand_elsewhere_on_s390x() -> None:
    document = profile("s390x")
    assert document is not None
    listed: Any = document["syscalls"]
    assert [rule["args"][0]["index"] for rule in listed if rule["names"] == ["clone"]] == [1]


def test_a_call_that_takes_its_flags_from_memory_does_not_exist() -> None:
    assert rules("clone3") == []


def test_sockets_to_the_hypervisor_cannot_be_made() -> None:
    (rule,) = rules("socket")
    assert rule["args"] == [{"index": 0, "op": "SCMP_CMP_NE", "value": 40, "valueTwo": 0}]


def test_no_call_is_both_allowed_and_denied() -> None:
    document = profile("x86_64")
    assert document is not None
    listed: Any = document["syscalls"]
    allowed, denied = set(listed[0]["names"]), set(listed[1]["names"])
    assert not allowed & denied and len(allowed) == len(listed[0]["names"])


def test_an_unknown_machine_has_no_filter_rather_than_a_wrong_one() -> None:
    assert profile("vax") is None
