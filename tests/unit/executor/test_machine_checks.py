"""doctor's questions to the machine, each answered by trying."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.executor import checks

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


def test_every_check_that_fails_names_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    failed = [each for each in (checks.check_runtime(), checks.check_network()) if not each.ok]
    assert [each.name for each in failed] == ["runtime", "network"]
    assert all("apt-get install" in each.remedy for each in failed)


@pytest.mark.root
@needs_root
def test_the_test_machine_has_everything_that_steps_need() -> None:
    assert [each for each in checks.check_machine() if not each.ok] == []


@pytest.mark.root
@needs_root
def test_checking_changes_no_mount_of_the_host() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    checks.check_machine()
    assert Path("/proc/self/mountinfo").read_text() == before


@pytest.mark.root
@needs_root
def test_an_emulator_that_the_kernel_refuses_is_reported_with_the_reason() -> None:
    assert "refused to register the emulator" in checks._probe("emulation", "not a line")
