"""doctor: what a machine has, said so that a person knows what to do."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from builder.cli.doctor import describe
from builder.executor.checks import Check

if TYPE_CHECKING:
    from command import Command

KERNEL = Check(name="kernel", ok=True, detail="Linux 6.18")
PASTA = Check(name="pasta", ok=False, detail="not found", remedy="apt-get install passt")


def test_a_missing_thing_is_followed_by_what_would_help() -> None:
    assert describe([KERNEL, PASTA]) == (
        "[ok] kernel  Linux 6.18\n"
        "[!!] pasta   not found\n"
        "             -> apt-get install passt\n"
    )  # fmt: skip


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="probes need root")
def test_the_exit_code_is_zero_only_if_everything_is_there(command: Command) -> None:
    said = command("doctor", "--format", "json")

    assert said.code == (0 if all(check["ok"] for check in json.loads(said.out)) else 1)
