"""What `--output` says, as values that are checked before any work.

Source: buildx's `--output`, its messages included; BuildKit's exporter attributes.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast, get_args

import msgspec

from builder.oci.mediatypes import Compression
from builder.oci.reference import Reference, parse_reference
from builder.system.errors import Unsupported
from exporter.annotations import Annotation, parse_attribute
from exporter.errors import InvalidOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_LEVELS: Final[dict[Compression, range]] = {
    "gzip": range(10),
    "zstd": range(23),
    "uncompressed": range(0),
}
# Attributes that BuildKit has, with the value that dockyard does without; others come in later versions.
_FIXED: Final = {
    "push": "false",
    "push-by-digest": "false",
    "registry.insecure": "false",
    "store": "true",
    "unpack": "false",
    "name-canonical": "false",
    "oci-mediatypes": "true",
    "oci-artifact": "true",
    "attestation-inline": "false",
    "prefer-nondist-layers": "false",
    "rewrite-timestamp": "false",
}
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_LATER: Final = frozenset({"local", "tar", "docker", "registry"})


class ExportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What image outputs have in common.

    `names` in any spelling that Docker knows. Without `force_compression` layers of base images keep theirs.
    `compression_level` None is the default of the compression. `epoch` in seconds.
    """

    names: tuple[str, ...] = ()
    compression: Compression = "gzip"
    compression_level: int | None = None
    force_compression: bool = False
    annotations: tuple[Annotation, ...] = ()
    epoch: int | None = None

    @property
    def references(self) -> tuple[Reference, ...]:
        """`names` in full. Raises: InvalidReference."""
        return tuple(map(parse_reference, self.names))


class ImageOutput(ExportOptions, frozen=True, kw_only=True):
    """Into the image store."""


class OciOutput(ExportOptions, frozen=True, kw_only=True):
    """An OCI layout at `dest`: a tar file, or with `tar` false a directory; None is standard output."""

    dest: Path | None = None
    tar: bool = True


class CacheOnlyOutput(msgspec.Struct, frozen=True):
    """Nothing but the build cache."""


Output: TypeAlias = ImageOutput | OciOutput | CacheOnlyOutput


def parse_output(spec: str) -> Output:
    """The output that `spec` (`type=oci,dest=x.tar`, fields as CSV) asks for.

    Raises: InvalidOutput, InvalidReference, and Unsupported for what later versions bring.
    """
    attributes = _attributes(spec)
    kind = attributes.pop("type", "")
    if not kind:
        raise InvalidOutput("type is required for output")
    if kind in _LATER:
        raise Unsupported(f"output type {kind!r} is not supported yet", hint="use type=image or type=oci")
    if kind == "cacheonly":
        _require_known(attributes, (), kind)
        return CacheOnlyOutput()
    if kind == "image":
        return ImageOutput(**_options(attributes, kind, _COMMON))  # type: ignore[arg-type]
    if kind == "oci":
        return OciOutput(**_options(attributes, kind, _OCI))  # type: ignore[arg-type]
    raise InvalidOutput(f"unknown output type {kind!r}; there are image, oci and cacheonly")


def require_writable(outputs: Sequence[Output], *, stdout_is_terminal: bool) -> None:
    """Looks whether every destination can be written to, without touching it.

    Raises: InvalidOutput, worded as buildx words it.
    """
    archives = [output for output in outputs if isinstance(output, OciOutput)]
    if sum(output.dest is None for output in archives) > 1:
        raise InvalidOutput("multiple outputs configured to write to stdout")
    for output in archives:
        if output.dest is None:
            if stdout_is_terminal:
                raise InvalidOutput("dest file is required for oci exporter. refusing to write to console")
        elif output.tar:
            _require_file(output.dest)
        else:
            _require_directory(output.dest)


def _attributes(spec: str) -> dict[str, str]:
    try:
        fields = next(csv.reader([spec], strict=True), [])
    except csv.Error as error:
        raise InvalidOutput(f"invalid output {spec!r}: {error}") from error
    if fields == [spec] and not spec.startswith("type="):
        return {"type": "tar" if spec == "-" else "local", "dest": spec}
    attributes = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise InvalidOutput(f"invalid value {field}")
        attributes[key.strip().lower()] = value
    return attributes


def _options(
    attributes: Mapping[str, str], kind: str, parsers: Mapping[str, tuple[str, Callable[[str, str], object]]]
) -> dict[str, object]:
    rest = {name: value for name, value in attributes.items() if not name.startswith("annotation")}
    _require_known(rest, parsers.keys(), kind)
    options: dict[str, object] = {}
    for name, value in rest.items():
        if name in parsers:
            field, parse = parsers[name]
            options[field] = parse(name, value)
    _require_level(options)
    annotations = (name for name in attributes if name.startswith("annotation"))
    options["annotations"] = tuple(parse_attribute(name, attributes[name]) for name in annotations)
    return options


def _require_known(attributes: Mapping[str, str], known: Collection[str], kind: str) -> None:
    for name, value in attributes.items():
        if name in known:
            continue
        if name not in _FIXED:
            raise InvalidOutput(f"output type {kind} has no attribute {name!r}")
        if _boolean(name, value) != (_FIXED[name] == "true"):
            raise Unsupported(f"output attribute {name}={value} is not supported yet")


def _require_level(options: Mapping[str, object]) -> None:
    level = options.get("compression_level")
    compression = cast("Compression", options.get("compression", "gzip"))
    if level is not None and level not in _LEVELS[compression]:
        raise InvalidOutput(f"compression-level {level} is out of range for {compression}")


def _names(_name: str, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        parse_reference(name)
    return names


def _compression(name: str, value: str) -> str:
    if value not in get_args(Compression):
        if value in ("estargz", "nydus"):
            raise Unsupported(f"output attribute {name}={value} is not supported yet")
        raise InvalidOutput(f"unsupported compression type {value}")
    return value


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidOutput(f"non-integer value {value!r} specified for {name}") from None


def _boolean(name: str, value: str) -> bool:
    if value in _TRUE or not value:
        return True
    if value in _FALSE:
        return False
    raise InvalidOutput(f"non-bool value specified for {name}")


def _destination(_name: str, value: str) -> Path | None:
    return Path(value) if value not in ("", "-") else None


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise InvalidOutput(f"destination file {path} is a directory")
    _require_parent(path)


def _require_directory(path: Path) -> None:
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            raise InvalidOutput(f"destination directory {path} cannot be written to")
    elif path.exists():
        raise InvalidOutput(f"destination directory {path} is a file")
    else:
        _require_parent(path)


def _require_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise InvalidOutput(f"invalid destination {path}: directory {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InvalidOutput(f"invalid destination {path}: directory {path.parent} cannot be written to")


_COMMON: Final[dict[str, tuple[str, Callable[[str, str], object]]]] = {
    "name": ("names", _names),
    "compression": ("compression", _compression),
    "compression-level": ("compression_level", _integer),
    "force-compression": ("force_compression", _boolean),
    "source-date-epoch": ("epoch", _integer),
}
_OCI: Final[dict[str, tuple[str, Callable[[str, str], object]]]] = {
    **_COMMON,
    "dest": ("dest", _destination),
    "tar": ("tar", _boolean),
}
