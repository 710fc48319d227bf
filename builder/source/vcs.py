"""What the repository around a directory says of it: the commit, where it came from, whether it was changed.

Asked of the git of this machine, which refuses repositories of other users; no hook and no monitor that the
repository configures is run. Source: buildx's `BUILDX_GIT_*` variables and what it sends as `vcs:*`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.source.errors import SourceError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

_GIT: Final = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_PATIENCE: Final = 30.0
"""Seconds that git may take: the status of a large tree is read from disk."""
_REMOTES: Final = ("origin", "upstream")


class VcsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask: `labels` puts it into the image, too, `check_dirty` compares the files with the commit."""

    info: bool = True
    labels: bool = False
    check_dirty: bool = False


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A working tree at `root`. `revision` is empty before the first commit and ends in `-dirty` after a change.

    `source` is the address that it was cloned from, without user and password; empty when there is none.
    """

    root: Path
    revision: str = ""
    source: str = ""


def read_checkout(directory: Path, *, check_dirty: bool) -> Checkout | None:
    """The working tree that `directory` is in; None when it is in none. Costs three short processes.

    Raises: SourceError when there is one that git cannot or will not read.
    """
    directory = directory.resolve()
    if not any((parent / ".git").exists() for parent in (directory, *directory.parents)):
        return None
    answer = _git(directory, "rev-parse", "--show-toplevel", "--verify", "--quiet", "HEAD")
    told = answer.stdout.splitlines()
    if not told:
        reason = answer.stderr.strip().partition("\n")[0]
        raise SourceError(f"failed to read current commit information with git: {reason}")
    root, revision = Path(told[0]), told[1] if len(told) > 1 else ""
    if revision and check_dirty and _git(root, "status", "--porcelain", "--ignored=no").stdout:
        revision += "-dirty"
    return Checkout(root=root, revision=revision, source=_source(root))


def local_directories(checkout: Checkout, directories: Mapping[str, Path]) -> dict[str, str]:
    """Where `directories` stand in the working tree, by name; those outside of it are left out."""
    found = {}
    for name, path in directories.items():
        resolved = path.resolve()
        if resolved.is_relative_to(checkout.root):
            found[name] = str(resolved.relative_to(checkout.root))
    return found


def _source(root: Path) -> str:
    settings = _git(root, "config", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$").stdout
    pairs = dict(line.split(" ", 1) for line in settings.splitlines() if " " in line)
    branch = _git(root, "symbolic-ref", "--quiet", "--short", "HEAD").stdout.strip()
    tracked = pairs.get(f"branch.{branch}.remote", "")
    urls = (pairs.get(f"remote.{name}.url", "") for name in (tracked, *_REMOTES))
    return without_user(next((url for url in urls if url), ""))


def without_user(url: str) -> str:
    """`url` without user and password; an address in the form of scp stays, because it can hold no password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _git(directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    # Loaded here because most contexts are in no repository.
    import subprocess

    try:
        return subprocess.run(
            [*_GIT, "-C", str(directory), *args],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="surrogateescape",
            timeout=_PATIENCE,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise SourceError("git was not found in the system") from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"git {args[0]} took longer than {_PATIENCE:.0f} seconds") from error
