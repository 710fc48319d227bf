"""Contexts that are addresses: git repositories and URLs, told from paths by their looks alone.

The addresses are those of ADD, and `github.com/NAME/NAME`, which has been an address of a context since before
there were others.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from builder.graph import Git, Http
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.remote import remote_kind

CONTEXT_FILE: Final = "context"
"""What the file of a URL is called in the context that it makes."""

_GITHUB: Final = r"(?s)github\.com/[^/]+/.+"


def read_address(text: str, *, keep_git_dir: bool = False, commit_times: bool = False) -> Git | Http | None:
    """What fetches the context at `text`; None when that is a path.

    `commit_times`: files of a repository have the time of the commit, unless the address says otherwise.
    Raises: DockerfileError for an address of a repository that cannot be read.
    """
    is_short = re.fullmatch(_GITHUB, text) is not None
    kind = "git" if is_short else remote_kind(text)
    if kind == "git":
        return _git(f"https://{text}" if is_short else text, keep=keep_git_dir, commit_times=commit_times)
    return Http(url=text, filename=CONTEXT_FILE) if kind == "url" else None


def _git(text: str, *, keep: bool, commit_times: bool) -> Git:
    from frontend.dockerfile.gitref import InvalidGitSource, queried_time, read_git_source

    try:
        # What the address itself says of the metadata goes before what the build argument says.
        says_keep = "keep-git-dir" in text.partition("#")[0].partition("?")[2]
        operation = read_git_source(text, keep_git_dir=True if keep and not says_keep else None, checksum="")
        time = queried_time(text)
    except InvalidGitSource as error:
        raise DockerfileError(str(error), location=None) from error
    wants_commit = time == "commit" if time else commit_times
    return msgspec.structs.replace(operation, mtime="commit" if wants_commit else "checkout")
