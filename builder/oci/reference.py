"""Image references: what people type, and the one full name that it means.

Source: the distribution project's reference grammar and Docker's normalisation rules.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from builder.oci.digest import Digest
from builder.system.errors import DockyardError

DEFAULT_DOMAIN: Final = "docker.io"
_OFFICIAL: Final = "library"
_MAX_REPOSITORY: Final = 255

_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?",
    re.ASCII,
)
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"


class InvalidReference(DockyardError):
    """Text that names no image."""


class Reference(msgspec.Struct, frozen=True):
    """A full image name: `domain/path[:tag][@digest]`, with a tag unless there is a digest."""

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    @property
    def repository(self) -> str:
        """Domain and path, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """The short form in which people write it: `busybox:1` for `docker.io/library/busybox:1`."""
        path = self.path
        if self.domain == DEFAULT_DOMAIN:
            return self._suffixed(path.removeprefix(f"{_OFFICIAL}/"))
        return self._suffixed(f"{self.domain}/{path}")

    def with_digest(self, digest: Digest) -> Reference:
        """The same name, pinned to `digest`."""
        return msgspec.structs.replace(self, digest=digest)

    def __str__(self) -> str:
        return self._suffixed(self.repository)

    def _suffixed(self, name: str) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return name + tag + digest


def parse_reference(text: str) -> Reference:
    """The full name that `text` means: default domain, `library/` and `latest` are filled in.

    Raises: InvalidReference, worded as Docker words it.
    """
    if re.fullmatch(r"[a-f0-9]{64}", text):
        raise InvalidReference(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    name, at, digest_text = text.partition("@")
    try:
        digest = Digest.parse(digest_text) if at else None
    except DockyardError as error:
        raise InvalidReference(f"invalid reference format: {text!r}: {error}") from error
    name, tag = _split_tag(name)
    domain, path = _split_domain(name)
    if path != path.lower():
        raise InvalidReference(f"invalid reference format: repository name ({path}) must be lowercase")
    valid = (
        _DOMAIN.fullmatch(domain)
        and all(_COMPONENT.fullmatch(component) for component in path.split("/"))
        and (tag is None or re.fullmatch(_TAG, tag))
    )
    if not valid:
        raise InvalidReference(f"invalid reference format: {text!r}")
    if len(path) > _MAX_REPOSITORY:
        raise InvalidReference(f"repository name must not be more than {_MAX_REPOSITORY} characters")
    return Reference(domain, path, tag or ("" if digest else "latest"), digest)


def _split_tag(name: str) -> tuple[str, str | None]:
    head, colon, tail = name.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return name, None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = slash and (any(c in first for c in ".:[") or first == "localhost" or first != first.lower())
    domain, path = (first, rest) if is_domain else (DEFAULT_DOMAIN, name)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"{_OFFICIAL}/{path}"
    return domain, path
