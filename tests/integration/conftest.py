"""The real command, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

# The command of the environment that pytest runs in: `.venv/bin/dockyard`.
COMMAND: Final = Path(sys.executable).with_name("dockyard")
TIMEOUT: Final = 240
"""Seconds after which a command counts as hung."""


class RunDockyard(Protocol):
    """Runs `dockyard --root ROOT ARGUMENTS` to its end; nobody has looked at the exit code yet."""

    def __call__(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """`environment` is added to the one of the tests, which has nothing of dockyard in it."""
        ...


@pytest.fixture
def dockyard(dockyard_root: Path) -> RunDockyard:
    """The command on this test's own state root."""

    def run(
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "--root", dockyard_root, *arguments],
            cwd=cwd,
            env={**_clean_environment(), **(environment or {})},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )

    return run


def _clean_environment() -> dict[str, str]:
    # What a developer has set for their own builds must not decide what a test sees.
    ours = ("CONTAINERD_", "DOCKYARD_", "BUILDX_", "BUILDKIT_", "DOCKER_", "SOURCE_DATE_EPOCH", "NO_COLOR")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
