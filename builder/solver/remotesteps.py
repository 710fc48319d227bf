"""Remote sources: a file of a URL or a checkout of a repository as a layer to copy from.

Each is asked for anew in every build, because what a name stands for may change, and once in each, because the
Dockerfile that was read must be of the same commit as the files that it copies. What it stands for is fetched
once, and remembered as layers under a key that names the content: the server's ETag, or the commit.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from builder.graph import Git, Http
from builder.oci.digest import Digest, InvalidDigest, encode_json
from builder.solver.results import Layered
from builder.source.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from builder.cache.records import CacheRecords, RecordKind
    from builder.graph import Vertex
    from builder.snapshot.layers import Layers
    from builder.source.git import GitAccess
    from builder.system.locks import CancelToken


class _Known(msgspec.Struct, frozen=True):
    """What a server said of what was downloaded last."""

    etag: str
    digest: str


class RemoteSteps:
    """Fetches remote sources. `downloads` is a directory, made when it is needed."""

    def __init__(
        self,
        layers: Layers,
        records: CacheRecords,
        downloads: Path,
        *,
        secrets: Mapping[str, bytes | Callable[[], bytes]],
        agents: Mapping[str, Path],
        cancelled: CancelToken,
    ) -> None:
        self._layers = layers
        self._records = records
        self._downloads = downloads
        self._secrets = secrets
        self._agents = agents
        self._cancelled = cancelled
        self.found: dict[Http | Git, str] = {}
        """What each source was found to be: the digest of a file, or the commit of a repository."""
        self.keys: dict[Http | Git, Digest] = {}
        """What the files of each source are remembered under."""
        self._fetched: dict[Http | Git, Layered] = {}
        self._guard = threading.Lock()

    def known_keys(self, vertex: Vertex, keys: Sequence[Digest | None]) -> list[Digest | None]:
        """`keys` of the inputs of `vertex`, with those of what has been fetched."""
        return [
            self.keys.get(each.operation) if isinstance(each.operation, Http | Git) else key
            for each, key in zip(vertex.inputs, keys, strict=True)
        ]

    def fetched(self, operation: Http | Git) -> Layered | None:
        """What `fetch` has found for `operation` in this build; None before it was called."""
        with self._guard:
            return self._fetched.get(operation)

    def fetch(self, operation: Http | Git) -> Layered:
        """The files of `operation`. Raises: SourceError, Cancelled, OSError."""
        if isinstance(operation, Git):
            files = self._check_out(operation)
        else:
            files, digest = self._download(operation)
            self.found[operation], self.keys[operation] = digest, _http_key(operation, digest)
        with self._guard:
            return self._fetched.setdefault(operation, files)

    def _download(self, operation: Http) -> tuple[Layered, Digest]:
        from builder.source.http import download, redacted

        if operation.checksum is not None and (
            found := self._recorded(_http_key(operation, operation.checksum))
        ):
            return found, operation.checksum
        note = self._downloads / Digest.of(encode_json([operation.url, operation.filename])).hex
        known = _read_note(note)
        here = self._recorded(_http_key(operation, known[1])) if known is not None else None
        with self._layers.scratch() as scratch:
            root = scratch / "root"
            root.mkdir()
            got = download(
                operation.url,
                root / operation.filename,
                etag=known[0] if known is not None and here is not None else "",
                headers=self._http_headers(operation.url),
                cancelled=self._cancelled,
            )
            if got is None and here is not None and known is not None:
                _require_digest(operation, known[1], redacted(operation.url))
                return here, known[1]
            assert got is not None
            _require_digest(operation, got.digest, redacted(operation.url))
            os.utime(root, (got.modified, got.modified))
            found = self._keep(_http_key(operation, got.digest), root, redacted(operation.url))
        if got.etag:
            self._write_note(note, _Known(got.etag, got.digest))
        return found, got.digest

    def _check_out(self, operation: Git) -> Layered:
        from builder.source.git import Repository
        from builder.source.http import redacted

        with self._layers.scratch() as scratch:
            repository = Repository(operation, scratch, self._git_access(operation.remote), self._cancelled)
            commit = self.found[operation] = repository.commit()
            # A checkout without `.git` is the same whatever name led to the commit.
            ref = operation.ref if operation.keep_git_dir else ""
            fixed = msgspec.structs.replace(operation, ref=ref, checksum="")
            key = self.keys[operation] = Digest.of(encode_json(["dockyard.v1", fixed, commit]))
            return self._recorded(key) or self._keep(
                key, repository.check_out(commit), redacted(operation.remote), kind="source.git.checkout"
            )

    def _recorded(self, key: Digest) -> Layered | None:
        layers = self._records.find(key)
        if layers is None:
            return None
        self._layers.keep(layers)
        return Layered(layers) if self._layers.usable(layers) else None

    def _keep(self, key: Digest, root: Path, name: str, kind: RecordKind = "regular") -> Layered:
        layers = (self._layers.adopt(root),)
        self._records.save(key, layers, description=name, kind=kind)
        return Layered(layers)

    def _write_note(self, path: Path, known: _Known) -> None:
        self._downloads.mkdir(mode=0o700, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_bytes(encode_json(known))
        new.replace(path)

    def _http_headers(self, url: str) -> dict[str, str]:
        host = urlsplit(url).hostname or ""
        if header := self._secret(f"HTTP_AUTH_HEADER_{host}"):
            return {"Authorization": header}
        token = self._secret(f"HTTP_AUTH_TOKEN_{host}")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _git_access(self, remote: str) -> GitAccess:
        from builder.source.git import GitAccess, token_header

        # With its port, as BuildKit names them.
        host = urlsplit(remote).netloc.rpartition("@")[2]
        header = self._secret(f"GIT_AUTH_HEADER.{host}") or self._secret("GIT_AUTH_HEADER")
        token = self._secret(f"GIT_AUTH_TOKEN.{host}") or self._secret("GIT_AUTH_TOKEN")
        is_web = remote.startswith(("http://", "https://"))
        authorization = (header or (token_header(token) if token else "")) if is_web else ""
        return GitAccess(authorization, self._agents.get("default"))

    def _secret(self, name: str) -> str:
        secret = self._secrets.get(name)
        value = secret() if callable(secret) else secret
        return (value or b"").decode("utf-8", "replace").strip()


def _http_key(operation: Http, digest: Digest) -> Digest:
    return Digest.of(encode_json(["dockyard.v1", "http", operation.url, operation.filename, digest]))


def _read_note(path: Path) -> tuple[str, Digest] | None:
    """The ETag that was sent with the file, and the file's digest."""
    try:
        known = msgspec.json.decode(path.read_bytes(), type=_Known)
        return known.etag, Digest.parse(known.digest)
    except (FileNotFoundError, msgspec.DecodeError, InvalidDigest):
        # Damaged or of another version: the file is downloaded again.
        return None


def _require_digest(operation: Http, digest: Digest, url: str) -> None:
    if operation.checksum is not None and digest != operation.checksum:
        raise SourceError(f"digest mismatch for {url}: {digest} (expected: {operation.checksum})")
