"""Values of `--cache-from` and `--cache-to`: from words to places, checked before any work starts.

Attributes, their names and what they are when nobody says are BuildKit's; one that nobody knows is an error, not
a wish that nobody hears. Messages name attributes and never the values of keys and tokens.
Source: buildx's reference for both flags; BuildKit's cache backends.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.cache.remote.places import (
    CacheExport,
    GithubCache,
    InlineCache,
    LocalCache,
    RegistryCache,
    S3Cache,
    Secret,
)
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.system.errors import UsageError
from builder.system.fields import read_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from builder.cache.remote.places import CacheForm, ExportPlace, ImportPlace, Mode

    Reader: TypeAlias = Callable[["_Attributes"], "ImportPlace"]

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_FORMS: Final[dict[str, CacheForm]] = {
    "gzip": "gzip",
    "zstd": "zstd",
    "estargz": "estargz",
    "uncompressed": "uncompressed",
}
_LEVELS: Final = {"gzip": range(10), "zstd": range(23), "estargz": range(10), "uncompressed": range(0)}
_MODES: Final[dict[str, Mode]] = {"min": "min", "max": "max"}


def cache_imports(words: Iterable[str], environ: Mapping[str, str]) -> tuple[ImportPlace, ...]:
    """`--cache-from` words. Raises: UsageError."""
    return tuple(map(_import, _parsed("--cache-from", words, environ)))


def cache_exports(
    words: Iterable[str], build_arguments: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[CacheExport, ...]:
    """`--cache-to` words, and what the build argument BUILDKIT_INLINE_CACHE asks for. Raises: UsageError."""
    exports = list(map(_export, _parsed("--cache-to", words, environ)))
    inline = CacheExport(place=InlineCache())
    if build_arguments.get("BUILDKIT_INLINE_CACHE", "") in _TRUE and inline not in exports:
        exports.append(inline)
    seen: list[ExportPlace] = []
    for export in exports:
        place = _identity(export.place)
        if place in seen:
            raise UsageError(f"duplicate cache exports [{_KINDS[type(place)]}]")
        seen.append(place)
    return tuple(exports)


def _identity(place: ExportPlace) -> ExportPlace:
    """The place without what does not tell it from another."""
    return replace(place, reset=False, digest=None) if isinstance(place, LocalCache) else place


class _Attributes:
    """The attributes of one word, each of which must be read by somebody."""

    def __init__(self, flag: str, word: str, environ: Mapping[str, str]) -> None:
        self.flag = flag
        self.environ = environ
        self._word = word
        self._left = _fields(word)
        self.kind = self._left.pop("type", "")
        if not self.kind:
            raise UsageError(f"{flag}: type required for {word!r}")

    def text(self, name: str, default: str = "") -> str:
        return self._left.pop(name, default)

    def flagged(self, name: str, *, default: bool = False) -> bool:
        value = self.text(name)
        if not value:
            return default
        if value not in _TRUE | _FALSE:
            raise UsageError(f"{self.flag}: failed to parse {name}: {value!r} is neither true nor false")
        return value in _TRUE

    def number(self, name: str) -> int | None:
        value = self.text(name)
        if not value:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) < 10):
            raise UsageError(f"{self.flag}: failed to parse {name}: {value!r} is not a number")
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        value = self.text(name)
        if not value:
            return default
        # Loaded here because few people say how long.
        from frontend.dockerfile.durations import InvalidDuration, read_duration

        try:
            return read_duration(value) / 1e9
        except InvalidDuration as error:
            raise UsageError(f"{self.flag}: failed to parse {name}: {error}") from error

    def secret(self, name: str, default: str = "") -> Secret | None:
        value = self.text(name, default)
        return Secret(value) if value else None

    def end(self) -> None:
        """Raises: UsageError when something was not read."""
        if "mounts" in self._left:
            raise UsageError(
                f"{self.flag}: caches elsewhere hold no cache mounts",
                hint="`dockyard cache export` and `cache import` take them from one state root to another",
            )
        if self._left:
            names = ", ".join(sorted(self._left))
            raise UsageError(f"{self.flag}: type={self.kind} has no attribute {names}")


def _parsed(flag: str, words: Iterable[str], environ: Mapping[str, str]) -> list[_Attributes]:
    specs: list[str] = []
    for word in words:
        # References alone may stand in one word.
        specs += [word] if "=" in word else [f"type=registry,ref={each.strip()}" for each in word.split(",")]
    return [_Attributes(flag, spec, environ) for spec in specs]


def _fields(word: str) -> dict[str, str]:
    try:
        fields = read_fields(word)
    except ValueError as error:
        raise UsageError(f"invalid cache value: {error}") from error
    attributes = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"invalid value {field}")
        attributes[name.strip().lower()] = value
    return attributes


def _import(attributes: _Attributes) -> ImportPlace:
    if attributes.kind == "inline":
        raise UsageError(
            "--cache-from: an inline cache is read from its image",
            hint="--cache-from type=registry,ref=IMAGE",
        )
    place = _reader(attributes, "importer")(attributes)
    if not isinstance(place, RegistryCache | LocalCache):
        _common(attributes)
    attributes.end()
    return place


def _export(attributes: _Attributes) -> CacheExport:
    place: ExportPlace
    place = InlineCache() if attributes.kind == "inline" else _reader(attributes, "exporter")(attributes)
    mode, ignored = _common(attributes)
    export = CacheExport(place=place, mode=mode, ignore_error=ignored)
    if isinstance(place, RegistryCache | LocalCache):
        export = _with_form(export, attributes)
    attributes.end()
    return export


def _common(attributes: _Attributes) -> tuple[Mode, bool]:
    mode = attributes.text("mode", "min").lower()
    if mode not in _MODES:
        raise UsageError(f"{attributes.flag}: there is no mode {mode!r}; there are min and max")
    return _MODES[mode], attributes.flagged("ignore-error")


def _with_form(export: CacheExport, attributes: _Attributes) -> CacheExport:
    compression = attributes.text("compression", "gzip")
    if compression not in _FORMS:
        raise UsageError(f"{attributes.flag}: unsupported layer compression type {compression!r}")
    level = attributes.number("compression-level")
    if level is not None and level not in _LEVELS[compression]:
        raise UsageError(f"{attributes.flag}: {compression} has no compression-level {level}")
    oci_types = attributes.flagged("oci-mediatypes", default=True)
    image_manifest = attributes.flagged("image-manifest", default=oci_types)
    if image_manifest and not oci_types:
        raise UsageError(
            "invalid configuration for remote cache. OCI mediatypes are required for image-manifest cache format"
        )
    return replace(
        export,
        compression=_FORMS[compression],
        level=level,
        force=attributes.flagged("force-compression"),
        oci_types=oci_types,
        image_manifest=image_manifest,
    )


def _reader(attributes: _Attributes, what: str) -> Reader:
    if attributes.kind == "azblob":
        raise UsageError(
            f"{attributes.flag}: type=azblob is not supported",
            hint="use type=s3 with an endpoint, or type=registry",
        )
    if attributes.kind not in _READERS:
        raise UsageError(f'{attributes.flag}: unknown cache {what}: "{attributes.kind}"')
    return _READERS[attributes.kind]


def _registry(attributes: _Attributes) -> RegistryCache:
    text = attributes.text("ref")
    if not text:
        raise UsageError(f"{attributes.flag}: type=registry requires ref")
    return RegistryCache(reference=parse_reference(text), insecure=attributes.flagged("registry.insecure"))


def _local(attributes: _Attributes) -> LocalCache:
    is_export = attributes.flag == "--cache-to"
    path = attributes.text("dest" if is_export else "src")
    if not path:
        raise UsageError(f"local cache {'exporter requires dest' if is_export else 'importer requires src'}")
    digest = "" if is_export else attributes.text("digest")
    return LocalCache(
        path=Path(path),
        tag=attributes.text("tag", "latest") or "latest",
        digest=Digest.parse(digest) if digest else None,
        reset=is_export and attributes.flagged("reset"),
    )


def _github(attributes: _Attributes) -> GithubCache:
    environ = attributes.environ
    said = attributes.number("version")
    version = said or (2 if environ.get("ACTIONS_CACHE_SERVICE_V2", "") in _TRUE else 1)
    if version not in (1, 2):
        raise UsageError(f"{attributes.flag}: type=gha has no version {version}; there are 1 and 2")
    addresses = {
        1: attributes.text("url", environ.get("ACTIONS_CACHE_URL", "")),
        2: attributes.text("url_v2", environ.get("ACTIONS_RESULTS_URL", "")),
    }
    token = attributes.secret("token", environ.get("ACTIONS_RUNTIME_TOKEN", ""))
    scope = attributes.text("scope", "buildkit")
    timeout = attributes.seconds("timeout", 600)
    # For a part of BuildKit that asks GitHub how old entries are; nothing here does.
    attributes.text("ghtoken")
    attributes.text("repository")
    if token is None:
        raise UsageError(
            "token not set for github actions cache",
            hint="it stands in ACTIONS_RUNTIME_TOKEN, which workflows must pass on to the step",
        )
    if not addresses[version]:
        raise UsageError("url not set for github actions cache")
    return GithubCache(
        url=addresses[version], token=token, scope=scope or "buildkit", version=version, timeout=timeout
    )


def _s3(attributes: _Attributes) -> S3Cache:
    environ = attributes.environ
    bucket = attributes.text("bucket", environ.get("AWS_BUCKET", ""))
    region = attributes.text("region", environ.get("AWS_REGION", ""))
    for name, value in (("bucket", bucket), ("region", region)):
        if not value:
            raise UsageError(f"{name} ($AWS_{name.upper()}) not set for s3 cache")
    retry_mode = attributes.text("retry_mode", "standard")
    if retry_mode not in ("standard", "adaptive"):
        raise UsageError(f"{attributes.flag}: there is no retry_mode {retry_mode!r}")
    # The library asks for no encoding in the first place.
    attributes.flagged("disable_accept_encoding")
    return S3Cache(
        bucket=bucket,
        region=region,
        prefix=attributes.text("prefix"),
        manifests_prefix=attributes.text("manifests_prefix", "manifests/"),
        blobs_prefix=attributes.text("blobs_prefix", "blobs/"),
        names=tuple(name for name in attributes.text("name", "buildkit").split(";") if name) or ("buildkit",),
        touch_refresh=attributes.seconds("touch_refresh", 24 * 3600),
        endpoint=attributes.text("endpoint_url") or None,
        path_style=attributes.flagged("use_path_style"),
        access_key=attributes.secret("access_key_id"),
        secret_key=attributes.secret("secret_access_key"),
        session_token=attributes.secret("session_token"),
        parallel=attributes.number("upload_parallelism") or 4,
        retry_mode="adaptive" if retry_mode == "adaptive" else "standard",
        retry_attempts=attributes.number("retry_max_attempts"),
    )


_READERS: Final[dict[str, Reader]] = {"registry": _registry, "local": _local, "gha": _github, "s3": _s3}
_KINDS: Final = {
    InlineCache: "inline",
    RegistryCache: "registry",
    LocalCache: "local",
    GithubCache: "gha",
    S3Cache: "s3",
}
