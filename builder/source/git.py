"""Checkouts of git repositories, made by the git of this machine.

The repository is hostile, and so may be the name of a ref: no word of either is ever read as an option
(GHSA-hw3h-2gp9-cxpv), no configuration, hook or prompt of this machine or of the repository takes part, only
transports of the network are allowed, and a subdirectory is reached without following links
(CVE-2026-33748). Credentials travel in the environment, not in arguments that everybody can read.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from builder.source.errors import SourceError
from builder.source.http import redacted
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.graph import Git
    from builder.system.locks import CancelToken

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\-][^\x00-\x20\x7f~^:?*\[\\]*")
_REMOTE: Final = re.compile(r"[A-Za-z0-9][^\x00-\x20\x7f]*")
_SSH: Final = re.compile(r"ssh://|[^/:]+@[^/:]+:")
_TRANSPORTS: Final = "http:https:git:ssh"
_SETTINGS: Final = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("credential.helper", ""),
    ("init.defaultBranch", "master"),
    ("advice.detachedHead", "false"),
    ("gc.auto", "0"),
    ("submodule.recurse", "false"),
)
_EVERYTHING: Final = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
_MAX_MESSAGE: Final = 2 << 10
_POLL: Final = 0.2


class GitAccess(NamedTuple):
    """What the caller lends to git: the value of an Authorization header, and the socket of an SSH agent."""

    authorization: str = ""
    agent: Path | None = None


def token_header(token: str) -> str:
    """The Authorization header that hosts of git repositories take for a token."""
    return "basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


class Repository:
    """The remote repository of `operation`; `scratch` is an empty directory for all that git needs."""

    def __init__(self, operation: Git, scratch: Path, access: GitAccess, cancelled: CancelToken) -> None:
        """Raises: SourceError for words that git could take for something else."""
        if not _REMOTE.fullmatch(operation.remote):
            raise SourceError(f"invalid git remote {redacted(operation.remote)!r}")
        if _SSH.match(operation.remote) and access.agent is None:
            raise SourceError(
                f'{redacted(operation.remote)}: no SSH key "default" forwarded from the client',
                hint="give an agent to the build: --ssh default",
            )
        if operation.ref and not _REF.fullmatch(operation.ref):
            raise SourceError(f"invalid git ref {operation.ref!r}")
        self._operation = operation
        self._tree = scratch / "checkout"
        self._cancelled = cancelled
        self._environment = _environment(operation.remote, scratch, access)

    def commit(self) -> str:
        """The commit that the ref names now. Raises: SourceError, Cancelled."""
        ref = self._operation.ref
        commit = ref if _COMMIT.fullmatch(ref) else self._find(ref)
        expected = self._operation.checksum
        if not commit.startswith(expected):
            raise SourceError(f"expected checksum to match {expected}, got {commit}")
        return commit

    def check_out(self, commit: str) -> Path:
        """A directory with the files of `commit`, as the operation wants them. Raises: SourceError, Cancelled."""
        operation = self._operation
        self._tree.mkdir()
        self._git("init", "--quiet", "--", ".")
        self._git("remote", "add", "--", "origin", operation.remote)
        self._fetch(commit)
        self._git("checkout", "--quiet", "--detach", commit)
        if operation.submodules and (self._tree / ".gitmodules").is_file():
            self._git("submodule", "update", "--init", "--recursive", "--depth=1", "--quiet")
        time = int(self._git("show", "--no-patch", "--format=%ct", commit, "--"))
        if operation.keep_git_dir:
            # What the caller has written into the address is for the server, not for the image.
            self._git("remote", "set-url", "--", "origin", _without_user(operation.remote))
        else:
            _remove_metadata(self._tree)
        if operation.mtime == "commit":
            _set_times(self._tree, time)
        return _subdirectory(self._tree, operation.subdirectory)

    def _find(self, ref: str) -> str:
        wanted = ref or "HEAD"
        listed = self._git("ls-remote", "--", self._operation.remote, where=self._tree.parent)
        lines = (line.partition("\t") for line in listed.split("\n"))
        refs = {name: commit for commit, _, name in lines}
        for name in (wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}"):
            # An annotated tag is an object of its own; the commit stands behind `^{}`.
            commit = refs.get(f"{name}^{{}}") or refs.get(name)
            if commit and _COMMIT.fullmatch(commit):
                return commit
        raise SourceError(f"repository does not contain ref {wanted}")

    def _fetch(self, commit: str) -> None:
        try:
            self._git("fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", commit)
        except SourceError:
            # A server that does not hand out commits by name still has them behind its branches and tags.
            self._git("fetch", "--quiet", "--", "origin", *_EVERYTHING)

    def _git(self, *arguments: str, where: Path | None = None) -> str:
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                cwd=where or self._tree,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                umask=0o022,
            )
        except FileNotFoundError as error:
            raise SourceError("git is not installed", hint="install it: apt-get install git") from error
        out, complaint = self._wait(process)
        if process.returncode:
            text = complaint.decode("utf-8", "replace").strip()[-_MAX_MESSAGE:]
            remote = self._operation.remote
            text = text.replace(remote, redacted(remote))
            raise SourceError(
                f"git {arguments[0]} of {redacted(remote)} failed: {text or process.returncode}"
            )
        return out.decode("utf-8", "replace")

    def _wait(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        while True:
            try:
                return process.communicate(timeout=_POLL)
            except subprocess.TimeoutExpired:
                if self._cancelled.is_set():
                    os.killpg(process.pid, 9)
                    process.communicate()
                    raise Cancelled from None


def _environment(remote: str, scratch: Path, access: GitAccess) -> Mapping[str, str]:
    settings = list(_SETTINGS)
    if access.authorization:
        host = urlsplit(remote)._replace(path="/", query="", fragment="").geturl()
        settings.append((f"http.{host}.extraheader", f"Authorization: {access.authorization}"))
    kept = ("PATH", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(scratch),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": _TRANSPORTS,
        "GIT_SSH_COMMAND": _ssh_command(scratch),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    if access.agent is not None:
        environment["SSH_AUTH_SOCK"] = str(access.agent)
    return environment


def _ssh_command(scratch: Path) -> str:
    """How git is to call ssh: with the keys of the agent that was lent, and none of this machine's.

    A host that the caller knows must still have the key that it is known by; one that nobody knows is believed
    for this build. No configuration takes part: it may name commands.
    """
    hosts = f"{scratch}/known_hosts {Path.home()}/.ssh/known_hosts"
    options = ("BatchMode=yes", "IdentityFile=/dev/null", "StrictHostKeyChecking=accept-new")
    return shlex.join(
        ["ssh", "-F", "/dev/null", *(f"-o{each}" for each in options), f"-oUserKnownHostsFile={hosts}"]
    )


def _without_user(remote: str) -> str:
    if not remote.startswith(("http://", "https://")):
        return remote
    parts = urlsplit(remote)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _remove_metadata(tree: Path) -> None:
    """Removes `.git`, that of submodules too."""
    for directory, names, files in os.walk(tree):
        if ".git" in names:
            names.remove(".git")
            shutil.rmtree(Path(directory, ".git"))
        elif ".git" in files:
            Path(directory, ".git").unlink()


def _set_times(tree: Path, seconds: int) -> None:
    """Gives everything at and below `tree` the time `seconds` since the epoch."""
    for directory, names, files in os.walk(tree):
        for name in (*names, *files):
            os.utime(Path(directory, name), (seconds, seconds), follow_symlinks=False)
    os.utime(tree, (seconds, seconds))


def _subdirectory(tree: Path, path: str) -> Path:
    """The directory `path` of the checkout; nothing on the way may be a link."""
    found = tree
    for name in path.split("/"):
        if name in ("", "."):
            continue
        found = found / name
        try:
            is_directory = name != ".." and stat.S_ISDIR(found.lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_directory = False
        if not is_directory:
            raise SourceError(f"subdirectory {path!r} is not a directory of the repository")
    return found
