"""Caches at the cache service of GitHub Actions, by both of its protocols.

The service keeps entries under keys that are written once: blobs under their digest, and the config under a key
with a number, of which the newest counts. Which entries may be read and written, the token says.
Source: BuildKit, cache/remotecache/gha, for keys; the service's REST API (1) and its Twirp API (2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import msgspec

from builder.cache.remote.config import MAX_CONFIG
from builder.cache.remote.githubapi import Entry, EntryExists, RestApi, TwirpApi, open_api
from builder.cache.remote.objects import CacheUnavailable
from builder.store.errors import BlobNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from builder.cache.remote.places import GithubCache
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest

_WRITE: Final = 2
_TRIES: Final = 20
"""Numbers that are tried for a config, when others write at the same time or have been killed while they did."""


class Scope(msgspec.Struct, frozen=True):
    """A branch or tag whose entries the token gives access to."""

    name: str = msgspec.field(name="Scope")
    permission: int = msgspec.field(name="Permission", default=0)


class _Claims(msgspec.Struct):
    access: str = msgspec.field(name="ac")


class GithubObjects:
    """One cache at the service (`builder.cache.remote.objects.Objects`)."""

    def __init__(self, place: GithubCache, stack: ExitStack) -> None:
        """`stack` closes connections."""
        self.name = f"gha scope {place.scope}"
        self._place = place
        self._stack = stack
        self._opened: RestApi | TwirpApi | None = None

    def configs(self) -> Sequence[bytes]:
        """The newest config of every branch that may be read."""
        found: list[bytes] = []
        for scope in read_scopes(self._place.token):
            entry = self._api().find(self._key(scope))
            if entry is not None:
                with self._api().download(entry) as stream:
                    found.append(stream.read(MAX_CONFIG + 1))
        if not found:
            raise CacheUnavailable(f"{self.name}: not found")
        return found

    def has(self, blob: Digest) -> bool:
        """Whether there is an entry for the blob."""
        return self._find(blob) is not None

    def open(self, digest: Digest) -> BinaryIO:
        """The blob."""
        entry = self._find(digest)
        if entry is None:
            raise BlobNotFound(f"{self.name} does not have {digest}")
        return self._api().download(entry)

    def put(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Stores a blob, unless somebody else is at it."""
        try:
            self._api().save(_blob_key(blob.digest), stream, blob.size)
        except EntryExists:
            # Its owner is not done yet, or died: the service says the same of both.
            return

    def keep(self, blob: Descriptor) -> bool:
        """Whether the blob is there; asking for it keeps it."""
        return self.has(blob.digest)

    def put_config(self, content: bytes) -> None:
        """Stores the config under the next number."""
        from io import BytesIO

        scope = next((each for each in read_scopes(self._place.token) if each.permission & _WRITE), None)
        if scope is None:
            raise CacheUnavailable(f"{self.name}: the token may not write")
        key = f"{self._key(scope)}#"
        entry = self._api().find(key)
        last = entry.key.removeprefix(key) if entry is not None else "0"
        if not (last.isascii() and last.isdecimal() and len(last) < 10):
            raise CacheUnavailable(f"{self.name}: the newest entry is none of ours")
        for number in range(int(last) + 1, int(last) + 1 + _TRIES):
            try:
                self._api().save(f"{key}{number}", cast("BinaryIO", BytesIO(content)), len(content))
            except EntryExists:
                continue
            return
        raise CacheUnavailable(f"{self.name}: others write it all the time")

    def _find(self, blob: Digest) -> Entry | None:
        key = _blob_key(blob)
        entry = self._api().find(key)
        # The service finds what begins with the key, too.
        return entry if entry is not None and entry.key == key else None

    def _key(self, scope: Scope) -> str:
        return f"index-{self._place.scope}-1-{hashlib.sha256(scope.name.encode()).hexdigest()[:8]}"

    def _api(self) -> RestApi | TwirpApi:
        if self._opened is None:
            api = self._opened = open_api(self._place)
            self._stack.callback(api.close)
        return self._opened


def read_scopes(token: str) -> tuple[Scope, ...]:
    """The branches that `token`, a JSON Web Token, gives access to. Raises: CacheUnavailable."""
    parts = token.split(".")
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        access = msgspec.json.decode(claims, type=_Claims).access
        return msgspec.json.decode(access, type=tuple[Scope, ...])
    except (IndexError, binascii.Error, ValueError, msgspec.DecodeError):
        raise CacheUnavailable("invalid token without access controls for github actions cache") from None


def _blob_key(digest: Digest) -> str:
    return f"buildkit-blob-1-{digest}"
