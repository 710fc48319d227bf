"""Where a build takes cache from and gives it to: typed, as `--cache-from` and `--cache-to` say it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from builder.oci.digest import Digest
from builder.oci.reference import Reference

Mode: TypeAlias = Literal["min", "max"]
CacheForm: TypeAlias = Literal["gzip", "zstd", "estargz", "uncompressed"]

INLINE: Final = "moby.buildkit.cache.v0"
"""Member of an image config that holds records as base64 of their JSON."""


class Secret(str):
    """A text that no message and no listing of options shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class InlineCache(msgspec.Struct, frozen=True):
    """In the config of the image itself."""


class RegistryCache(msgspec.Struct, frozen=True, kw_only=True):
    """Under `reference` at a registry. `insecure`: any certificate will do, and plain HTTP."""

    reference: Reference
    insecure: bool = False


class LocalCache(msgspec.Struct, frozen=True, kw_only=True):
    """In the directory `path`, under `tag`; to read, `digest` goes before it.

    `reset`: what no entry of the directory needs any more is removed after an export.
    """

    path: Path
    tag: str = "latest"
    digest: Digest | None = None
    reset: bool = False


class GithubCache(msgspec.Struct, frozen=True, kw_only=True):
    """At the cache service of GitHub Actions. `version` of its protocol: 1 or 2; `timeout` in seconds."""

    url: str
    token: Secret
    scope: str = "buildkit"
    version: int = 1
    timeout: float = 600


class S3Cache(msgspec.Struct, frozen=True, kw_only=True):
    """In a bucket. `names` are those of the manifests, of which the first is read; `touch_refresh` in seconds.

    Keys None: what the AWS library finds by itself.
    """

    bucket: str
    region: str
    prefix: str = ""
    manifests_prefix: str = "manifests/"
    blobs_prefix: str = "blobs/"
    names: tuple[str, ...] = ("buildkit",)
    touch_refresh: float = 24 * 3600
    endpoint: str | None = None
    path_style: bool = False
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    parallel: int = 4
    retry_mode: Literal["standard", "adaptive"] = "standard"
    retry_attempts: int | None = None


ImportPlace: TypeAlias = RegistryCache | LocalCache | GithubCache | S3Cache
ExportPlace: TypeAlias = InlineCache | ImportPlace


class CacheExport(msgspec.Struct, frozen=True, kw_only=True):
    """A cache to be made at `place`.

    `mode` max: the layers of every step, min: those of the result, and what has a blob anyway. `force`: blobs that
    are there in another form are made anew. `image_manifest` false: an index. `ignore_error`: failing is a warning.
    """

    place: ExportPlace
    mode: Mode = "min"
    compression: CacheForm = "gzip"
    level: int | None = None
    force: bool = False
    oci_types: bool = True
    image_manifest: bool = True
    ignore_error: bool = False
