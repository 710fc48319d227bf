"""What a check found, as a value: one line of the report."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["held", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check of one blob.

    `check` names the rule and does not change between versions; `digest` is that of the blob; `platform` groups,
    empty for the image as a whole; `path` is the place in the blob's JSON.
    """

    check: str
    state: State
    digest: str
    message: str
    platform: str = ""
    path: str = ""


def judge(
    check: str,
    held: bool,  # noqa: FBT001 - what is judged reads as an argument
    digest: str,
    message: str,
    *,
    platform: str = "",
    path: str = "",
) -> Finding:
    """A finding that held or failed; `message` says what was compared."""
    state: State = "held" if held else "failed"
    return Finding(check=check, state=state, digest=digest, message=message, platform=platform, path=path)


def passed(check: str, digest: str, message: str, *, platform: str = "", path: str = "") -> Finding:
    """A finding that held."""
    return Finding(check=check, state="held", digest=digest, message=message, platform=platform, path=path)


def failed(check: str, digest: str, message: str, *, platform: str = "", path: str = "") -> Finding:
    """A finding that failed."""
    return Finding(check=check, state="failed", digest=digest, message=message, platform=platform, path=path)
