"""Policies that the command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.attest.policy.policy import Policy


def read_policies(words: Iterable[str]) -> tuple[Policy, ...]:
    """The policies in the files that `--policy` names. Raises: InvalidPolicy, OSError."""
    paths = [Path(word) for word in words]
    if not paths:
        return ()
    from exporter.attest.policy.reading import load_policy

    return tuple(map(load_policy, paths))
