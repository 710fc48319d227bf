"""Where a containerd daemon listens, and the namespace to work in there. Loads nothing of grpc."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from builder.system.errors import UsageError

NAMESPACE: Final = "default"
_SCHEME: Final = "unix://"
_NAMESPACE: Final = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"
_LONGEST_NAMESPACE: Final = 76


class Address(msgspec.Struct, frozen=True):
    """A daemon's socket, as an absolute path, and one of its namespaces."""

    socket: str
    namespace: str = NAMESPACE

    @property
    def url(self) -> str:
        """The socket as people write it."""
        return f"{_SCHEME}{self.socket}"


def parse_address(text: str, namespace: str = NAMESPACE) -> Address:
    """The address `unix:///run/containerd/containerd.sock`, or the path alone.

    Only sockets of this machine: whoever speaks to containerd is root there. Raises: UsageError.
    Source of the namespace's form: containerd's package `identifiers`.
    """
    path = text.removeprefix(_SCHEME)
    if not path.startswith("/"):
        raise UsageError(
            f"containerd's address must be a socket, not {text!r}",
            hint="it looks like unix:///run/containerd/containerd.sock",
        )
    if len(namespace) > _LONGEST_NAMESPACE or not re.fullmatch(_NAMESPACE, namespace):
        raise UsageError(
            f"invalid containerd namespace {namespace!r}",
            hint="letters and digits, with single dots, dashes or underscores between them",
        )
    return Address(path, namespace)
