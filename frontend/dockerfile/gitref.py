"""Git sources of ADD, and git contexts: `URL[#ref[:subdir]]` or `URL?key=value&...`, with BuildKit's messages."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from builder.graph import Git
from builder.system.quoting import quote

_HEX: Final = r"[0-9a-fA-F]{1,64}"
_BOOLEANS: Final = {
    **dict.fromkeys(("", "1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_KEYS: Final = (
    "ref", "tag", "branch", "subdir", "commit", "checksum", "keep-git-dir", "submodules", "fetch-by-commit",
    "mtime",
)  # fmt: skip
_MAY_BE_EMPTY: Final = ("keep-git-dir", "submodules", "fetch-by-commit")
_TIMES: Final = ("checkout", "commit")


class InvalidGitSource(Exception):
    """A git source that cannot be read."""


def read_git_source(text: str, *, keep_git_dir: bool | None, checksum: str) -> Git:
    """The operation for `text`; `keep_git_dir` and `checksum` are the flags. Raises: InvalidGitSource."""
    address, _, fragment = text.partition("#")
    remote, _, query = address.partition("?")
    values = _values(query)
    ref, _, subdirectory = fragment.partition(":")
    return Git(
        remote=remote,
        ref=_chosen_ref(values, ref),
        subdirectory=_agreed("subdir", values.get("subdir", ""), subdirectory).strip("/"),
        checksum=_checksum(values, checksum),
        keep_git_dir=_keep(values, flag=keep_git_dir),
        submodules=_boolean("submodules", values, default=True),
    )


def queried_time(text: str) -> str:
    """What the address says of the files' times, `commit` or `checkout`; empty when it says nothing.

    For contexts alone: ADD does not care. Raises: InvalidGitSource.
    """
    return _values(text.partition("#")[0].partition("?")[2]).get("mtime", "")


def _values(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _KEYS:
            raise InvalidGitSource(f"unexpected query {quote(key)}")
        if key in values:
            raise InvalidGitSource(f"query {quote(key)} has multiple values")
        if not value and key not in _MAY_BE_EMPTY:
            raise InvalidGitSource(f"query {quote(key)} has no value")
        values[key] = value
    if values.get("mtime", "checkout") not in _TIMES:
        raise InvalidGitSource(
            f'invalid mtime value: {quote(values["mtime"])} (must be "checkout" or "commit")'
        )
    _boolean("fetch-by-commit", values, default=False)
    return values


def _chosen_ref(values: dict[str, str], fragment: str) -> str:
    if "branch" in values and "tag" in values:
        raise InvalidGitSource("branch conflicts with tag")
    ref = _agreed("ref", values.get("ref", ""), fragment)
    for key, folder in (("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if key in values:
            full = folder + values[key].removeprefix(folder)
            if ref and ref not in (full, values[key]):
                raise InvalidGitSource(f"{key} conflicts with ref")
            ref = full
    # A commit alone is what is to be checked out, too.
    return ref or values.get("commit", values.get("checksum", "")) * _is_whole_commit(values)


def _is_whole_commit(values: dict[str, str]) -> bool:
    return len(values.get("commit", values.get("checksum", ""))) in (40, 64)


def _agreed(key: str, queried: str, fragment: str) -> str:
    if queried and fragment and queried != fragment:
        raise InvalidGitSource(f"{key} conflicts: {quote(queried)} vs {quote(fragment)}")
    return queried or fragment


def _checksum(values: dict[str, str], flag: str) -> str:
    queried = values.get("commit") or values.get("checksum") or ""
    for text in (queried, flag):
        if text and not re.fullmatch(_HEX, text):
            raise InvalidGitSource(f"invalid checksum {text} for Git URL, expected hex commit hash")
    if queried and flag and queried != flag:
        raise InvalidGitSource(f"checksum mismatch {quote(queried)} != {quote(flag)}")
    return (queried or flag).lower()


def _keep(values: dict[str, str], *, flag: bool | None) -> bool:
    queried = _boolean("keep-git-dir", values, default=bool(flag))
    if flag is not None and queried != flag:
        raise InvalidGitSource("inconsistent keep-git-dir configuration")
    return queried


def _boolean(key: str, values: dict[str, str], *, default: bool) -> bool:
    if key not in values:
        return default
    if values[key] not in _BOOLEANS:
        raise InvalidGitSource(f"invalid {key} value: {quote(values[key])}")
    return _BOOLEANS[values[key]]
