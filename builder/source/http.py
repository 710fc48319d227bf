"""Files from the network: what ADD of a URL gets.

The server is hostile: the number of redirects, the size of the body and every wait are bounded, the body is
kept as it was sent, and what the response calls the file counts for nothing. Credentials go to the host that
they are for and to no other.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from builder.oci.digest import CHUNK, Digest
from builder.source.errors import SourceError
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import requests

    from builder.system.locks import CancelToken

_MAX_BODY: Final = 32 << 30
_MAX_REDIRECTS: Final = 10
_MAX_ETAG: Final = 4 << 10
_TIMEOUT: Final = (30.0, 60.0)
"""Seconds until a connection must stand, and between two pieces of an answer."""
_NOT_MODIFIED: Final = 304
_MODE: Final = 0o600


class Download(NamedTuple):
    """A file that was written; `modified` in seconds since the epoch, 0 where the server does not say."""

    digest: Digest
    etag: str
    modified: int


def download(
    url: str, target: Path, *, etag: str, headers: Mapping[str, str], cancelled: CancelToken
) -> Download | None:
    """Writes what `url` has to the new file `target`; None when it is still what `etag` names.

    The file gets mode 0600 and the time of the server's copy. Raises: SourceError, Cancelled.
    """
    import requests

    with requests.Session() as session:
        session.max_redirects = _MAX_REDIRECTS
        # Else a password from a .netrc of this machine would go to whatever host a Dockerfile names.
        session.auth = _unchanged
        sent = {"Accept-Encoding": "identity", **headers, **({"If-None-Match": etag} if etag else {})}
        try:
            with session.get(url, headers=sent, stream=True, timeout=_TIMEOUT) as response:
                if etag and response.status_code == _NOT_MODIFIED:
                    return None
                if not 200 <= response.status_code < 400:
                    raise SourceError(f"{redacted(url)}: invalid response status {response.status_code}")
                digest = _save(response, target, url, cancelled)
                return _described(response, target, digest)
        except requests.RequestException as error:
            reason = type(error).__name__ if "@" in url else error
            raise SourceError(f"failed to download {redacted(url)}: {reason}") from error


def redacted(url: str) -> str:
    """`url` without the name and password that it may hold."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"xxxxx@{host}" if "@" in parts.netloc else host))


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _save(response: requests.Response, target: Path, url: str, cancelled: CancelToken) -> Digest:
    total, size = sha256(), 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in response.iter_content(CHUNK):
            if cancelled.is_set():
                raise Cancelled
            size += len(chunk)
            if size > _MAX_BODY:
                raise SourceError(f"{redacted(url)}: larger than {_MAX_BODY} bytes")
            total.update(chunk)
            file.write(chunk)
    return Digest("sha256:" + total.hexdigest())


def _described(response: requests.Response, target: Path, digest: Digest) -> Download:
    from email.utils import parsedate_to_datetime

    try:
        modified = int(parsedate_to_datetime(response.headers.get("Last-Modified", "")).timestamp())
    except (ValueError, TypeError, OverflowError):
        modified = 0
    modified = max(modified, 0)
    os.utime(target, (modified, modified))
    etag = response.headers.get("ETag", "")
    return Download(digest, etag if len(etag) <= _MAX_ETAG else "", modified)
