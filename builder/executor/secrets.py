"""Secrets of a step: files that exist in the container's memory only.

They travel in the request, which is a memory file, and lie on the step's own memory file system; a read-only
bind mount shows each of them in the container. The mount point comes from the stub layer, so that nothing of
them, not even an empty file, is left in the layer of the step.
"""

from __future__ import annotations

import base64
import os
import posixpath
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from builder.executor.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Sequence


class SecretFile(NamedTuple):
    """A secret at the absolute path `target` of the container."""

    target: str
    content: bytes
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


class SecretRequest(TypedDict):
    """A secret on its way to the supervisor; `content` in base64, `path` relative to the container's root."""

    path: str
    content: str
    mode: int
    uid: int
    gid: int


def secret_request(secret: SecretFile) -> SecretRequest:
    """Raises: ExecutorError for a target that is no file below the root."""
    path = posixpath.normpath(secret.target).lstrip("/")
    if not secret.target.startswith("/") or not path:
        raise ExecutorError(f'invalid mount target "{secret.target}"')
    content = base64.b64encode(secret.content).decode()
    return SecretRequest(path=path, content=content, mode=secret.mode, uid=secret.uid, gid=secret.gid)


def write_secrets(secrets: Sequence[SecretRequest], directory: str) -> None:
    """Makes the files behind the mounts, in a directory that only the supervisor's children see."""
    os.mkdir(directory, 0o700)
    for number, secret in enumerate(secrets):
        fd = os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(base64.b64decode(secret["content"]))
            os.fchown(fd, secret["uid"], secret["gid"])
            os.fchmod(fd, secret["mode"])
