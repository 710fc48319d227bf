"""The two protocols of GitHub's cache service, and the transfers that both have in common.

Signed addresses of blobs are secrets like the token: messages name the server and the operation, nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar, cast
from urllib.parse import urlencode, urlsplit

import msgspec

from builder.cache.remote.objects import CacheUnavailable
from builder.registry.hosts import Tls
from builder.registry.limits import Limits, retry_after
from builder.registry.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from builder.cache.remote.places import GithubCache

_T = TypeVar("_T")
_VERSION: Final = hashlib.sha256(b"|go-actionscache-1.0").hexdigest()
"""What BuildKit's entries are marked with; the service finds none with another mark."""

_TWIRP: Final = "twirp/github.actions.results.api.v1.CacheService/"
_PIECE: Final = 32 << 20
_ANSWER: Final = 32 << 10
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_LIMITS: Final = Limits()
_ACCEPT: Final = "application/json;api-version=6.0-preview.1"
_NO_HEADERS: Final[dict[str, str]] = {}


class EntryExists(CacheUnavailable):
    """There is an entry of that key, complete or not."""


class Entry(msgspec.Struct, frozen=True):
    """An entry that was found. `location` is a secret."""

    key: str = msgspec.field(name="cacheKey", default="")
    location: str = msgspec.field(name="archiveLocation", default="")


class _Reserved(msgspec.Struct):
    id: int = msgspec.field(name="cacheId", default=0)


class _Created(msgspec.Struct):
    ok: bool = False
    location: str = msgspec.field(name="signed_upload_url", default="")


class _Found(msgspec.Struct):
    ok: bool = False
    location: str = msgspec.field(name="signed_download_url", default="")
    key: str = msgspec.field(name="matched_key", default="")


class _Api:
    """Requests with a bearer token, sent again when the service is busy."""

    def __init__(self, place: GithubCache, session: requests.Session) -> None:
        self._place = place
        self._session = session
        self._host = urlsplit(place.url).netloc.rpartition("@")[2]

    def close(self) -> None:
        """Closes all connections."""
        self._session.close()

    def download(self, entry: Entry) -> BinaryIO:
        """What the entry holds; the caller closes. Raises: CacheUnavailable."""
        answer = self._send("GET", entry.location, signed=True)
        answer.raw.decode_content = False
        return cast("BinaryIO", answer.raw)

    def _call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of the answer to a request of the API."""
        content = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else {}
        answer = self._send(method, f"{self._place.url.rstrip('/')}/{path}", content, headers=headers)
        with answer:
            return answer.status_code, answer.raw.read(_ANSWER, decode_content=True)

    def _send(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        signed: bool = False,
    ) -> requests.Response:
        """The answer to a request; `signed`: the address says who asks, and the token stays away."""
        own = {} if signed else {"Authorization": f"Bearer {self._place.token!s}", "Accept": _ACCEPT}
        deadline = time.monotonic() + self._place.timeout
        for failures in range(1, _LIMITS.attempts + 1):
            answer = self._send_once(method, url, content, {**own, **headers})
            if answer.status_code not in _AGAIN or failures == _LIMITS.attempts:
                break
            answer.close()
            asked = retry_after(answer.headers.get("Retry-After", ""), datetime.now(UTC))
            wait = _LIMITS.wait(failures) if asked is None else asked
            if time.monotonic() + wait > deadline:
                raise CacheUnavailable(f"{self._host}: busy for longer than {self._place.timeout:.0f}s")
            time.sleep(wait)
        if answer.status_code >= 300 and answer.status_code not in (404, 409):
            answer.close()
            raise CacheUnavailable(f"{self._host}: unexpected status from {method}: {answer.status_code}")
        return answer

    def _send_once(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> requests.Response:
        import requests

        try:
            return self._session.request(
                method,
                url,
                data=content,
                headers=dict(headers),
                stream=True,
                allow_redirects=False,
                timeout=_LIMITS.silence,
            )
        except requests.RequestException as error:
            # What the library says has the address in it.
            raise CacheUnavailable(f"{self._host}: {method} failed: {type(error).__name__}") from None


class RestApi(_Api):
    """Version 1 of the service."""

    def find(self, key: str) -> Entry | None:
        """The newest entry whose key is `key` or begins with it."""
        query = urlencode({"keys": key, "version": _VERSION})
        status, content = self._call("GET", f"_apis/artifactcache/cache?{query}")
        entry = _decode(content, Entry) if content and status == 200 else Entry()
        return entry if entry.key and entry.location else None

    def save(self, key: str, stream: BinaryIO, size: int) -> None:
        """Makes an entry. Raises: EntryExists, CacheUnavailable."""
        status, content = self._call("POST", "_apis/artifactcache/caches", {"key": key, "version": _VERSION})
        if status == 409:
            raise EntryExists(f"{self._host}: there is an entry {key}")
        path = f"_apis/artifactcache/caches/{_decode(content, _Reserved).id}"
        offset = 0
        while chunk := stream.read(_PIECE):
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {offset}-{offset + len(chunk) - 1}/*",
            }
            self._send("PATCH", f"{self._place.url.rstrip('/')}/{path}", chunk, headers=headers).close()
            offset += len(chunk)
        _require_size(offset, size, key)
        self._call("POST", path, {"size": size})


class TwirpApi(_Api):
    """Version 2 of the service, which keeps blobs in Azure's storage."""

    def find(self, key: str) -> Entry | None:
        """The newest entry whose key is `key` or begins with it."""
        body = {"key": key, "restore_keys": [key], "version": _VERSION}
        status, content = self._call("POST", f"{_TWIRP}GetCacheEntryDownloadURL", body)
        found = _decode(content, _Found) if status == 200 else _Found()
        return Entry(found.key, found.location) if found.ok and found.location else None

    def save(self, key: str, stream: BinaryIO, size: int) -> None:
        """Makes an entry. Raises: EntryExists, CacheUnavailable."""
        status, content = self._call("POST", f"{_TWIRP}CreateCacheEntry", {"key": key, "version": _VERSION})
        created = _decode(content, _Created) if status == 200 else _Created()
        if status == 409 or not created.ok:
            raise EntryExists(f"{self._host}: there is an entry {key}")
        self._upload(created.location, stream, size, key)
        body = {"key": key, "size_bytes": str(size), "version": _VERSION}
        status, content = self._call("POST", f"{_TWIRP}FinalizeCacheEntryUpload", body)
        if status != 200 or not _decode(content, _Created).ok:
            raise CacheUnavailable(f"{self._host}: failed to commit cache")

    def _upload(self, location: str, stream: BinaryIO, size: int, key: str) -> None:
        """Source: Azure's REST API for block blobs, Put Blob, Put Block and Put Block List."""
        if size <= _PIECE:
            content = stream.read(size + 1)
            _require_size(len(content), size, key)
            self._send("PUT", location, content, headers={"x-ms-blob-type": "BlockBlob"}, signed=True).close()
            return
        blocks: list[str] = []
        sent = 0
        while chunk := stream.read(_PIECE):
            blocks.append(base64.b64encode(f"{len(blocks):08d}".encode()).decode())
            name = blocks[-1].replace("=", "%3D")
            self._send("PUT", f"{location}&comp=block&blockid={name}", chunk, signed=True).close()
            sent += len(chunk)
        _require_size(sent, size, key)
        listed = "".join(f"<Latest>{each}</Latest>" for each in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
        self._send("PUT", f"{location}&comp=blocklist", body.encode(), signed=True).close()


def open_api(place: GithubCache) -> RestApi | TwirpApi:
    """The service in the version that `place` names; close it."""
    session = open_session(Tls(), connections=_LIMITS.parallel)
    return RestApi(place, session) if place.version == 1 else TwirpApi(place, session)


def _decode(content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CacheUnavailable(f"the cache service answers what is not its protocol: {error}") from None


def _require_size(found: int, promised: int, key: str) -> None:
    if found != promised:
        raise CacheUnavailable(f"cannot store {key}: its size is {found}, not {promised}")
