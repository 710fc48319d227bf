"""What `--output` says, from words to outputs.

Every attribute that BuildKit has is known here: read, or refused with a reason, or, where dockyard has one way
only, accepted when it asks for that way. What is misspelled is an error, not a wish that nobody hears.
Source: buildx's `--output`, its messages included; BuildKit's exporter attributes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast, get_args

from msgspec.structs import replace

from builder.oci.reference import parse_reference
from builder.store.containerd.address import NAMESPACE, parse_address
from builder.system.errors import Unsupported
from builder.system.fields import read_fields
from exporter.annotations import parse_attribute
from exporter.errors import InvalidOutput
from exporter.outputs import (
    CacheOnlyOutput,
    DockerOutput,
    ExportOptions,
    ImageOutput,
    LayerForm,
    LoadOutput,
    LocalMode,
    LocalOutput,
    OciOutput,
    Output,
    Place,
    TarOutput,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    Reader: TypeAlias = Callable[[str, str], object]
    Readers: TypeAlias = Mapping[str, tuple[str, Reader]]

_Made = TypeVar("_Made")

_STDOUT: Final = "-"
_NOWHERE: Final = ""
"""The field of attributes that change nothing, because what they speak of does not exist any more."""
_LEVELS: Final[dict[LayerForm, range]] = {
    "gzip": range(10),
    "zstd": range(23),
    "estargz": range(10),
    "uncompressed": range(0),
}
# Attributes that BuildKit has, with the value that is the only one here; they are those of image outputs.
_FIXED: Final = {
    "push": "false",
    "push-by-digest": "false",
    "registry.insecure": "false",
    "store": "true",
    "unpack": "false",
    "store-allow-incomplete": "false",
    "name-canonical": "false",
    "prefer-nondist-layers": "false",
}
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_output(spec: str) -> Output:
    """The output that `spec` asks for: `type=oci,dest=x.tar`, fields as CSV; a directory; or `-`.

    Raises: InvalidOutput, InvalidReference, and Unsupported for what dockyard does not do.
    """
    attributes = _attributes(spec)
    kind = attributes.pop("type", "")
    match kind:
        case "":
            raise InvalidOutput("type is required for output")
        case "image" | "registry":
            return _image(attributes, kind)
        case "oci":
            return _made(OciOutput, _options(attributes, kind, _OCI))
        case "docker":
            return _docker(attributes)
        case "local":
            return _local(attributes)
        case "tar":
            return _made(TarOutput, _options(attributes, kind, _TAR))
        case "cacheonly":
            return _made(CacheOnlyOutput, _options(attributes, kind, _ANY))
    raise InvalidOutput(
        f"unknown output type {kind!r}; there are image, registry, oci, docker, local, tar and cacheonly"
    )


def with_push(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """What `--push` makes of `outputs`: those into the image store are pushed, too, or there is one for it."""
    if not any(isinstance(output, ImageOutput) for output in outputs):
        return (*outputs, ImageOutput(push=True, allow_incomplete=True))
    return tuple(replace(each, push=True) if isinstance(each, ImageOutput) else each for each in outputs)


def with_load(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """What `--load` makes of `outputs`: there is one into the engine."""
    if any(isinstance(output, LoadOutput) for output in outputs):
        return tuple(outputs)
    return (*outputs, LoadOutput())


def _attributes(spec: str) -> dict[str, str]:
    try:
        fields = read_fields(spec)
    except ValueError as error:
        raise InvalidOutput(f"invalid output {spec!r}: {error}") from error
    if fields == [spec] and not spec.startswith("type="):
        return {"type": "tar" if spec == _STDOUT else "local", "dest": spec}
    attributes = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise InvalidOutput(f"invalid value {field}")
        attributes[key.strip().lower()] = value
    return attributes


def _made(output: Callable[..., _Made], options: Mapping[str, object]) -> _Made:
    """The output with `options`, whose values `_options` has read as their names want them."""
    return output(**options)


def _image(attributes: dict[str, str], kind: str) -> ImageOutput:
    if kind == "registry":
        attributes.setdefault("push", "true")
        attributes.setdefault("store-allow-incomplete", "true")
    place = _place(attributes)
    output = _made(ImageOutput, {"place": place, **_options(attributes, kind, _IMAGE)})
    if output.rewrite_timestamp and output.unpack:
        raise InvalidOutput('exporter option "rewrite-timestamp" conflicts with "unpack"')
    if output.docker_types:
        _require_docker_can(output)
    return output


def _place(attributes: dict[str, str]) -> Place | None:
    """The store that is named where BuildKit has a boolean; None when there is one, or nothing."""
    value = attributes.get("store", "")
    namespace = attributes.pop("namespace", "")
    if not value or value in _TRUE | _FALSE:
        if namespace:
            raise InvalidOutput("namespace needs store=ADDRESS, the containerd daemon that has it")
        return None
    del attributes["store"]
    if value == "embedded" and not namespace:
        return "embedded"
    if value.startswith(("/", "unix://")):
        return parse_address(value, namespace or NAMESPACE)
    raise InvalidOutput(
        f"there is no store {value!r}",
        hint="true, false, embedded, or a containerd daemon: unix:///run/containerd/containerd.sock",
    )


def _docker(attributes: dict[str, str]) -> DockerOutput | LoadOutput:
    options = _options(attributes, "docker", _DOCKER)
    output: DockerOutput | LoadOutput
    if attributes.get("dest"):
        output = _made(DockerOutput, options)
    else:
        options.pop("dest", None)
        if not options.pop("tar", True):
            raise InvalidOutput("dest is required for docker exporter with tar=false")
        output = _made(LoadOutput, options)
    if output.docker_types:
        _require_docker_can(output)
    return output


def _local(attributes: dict[str, str]) -> LocalOutput:
    dest = attributes.get("dest", "")
    if not dest:
        raise InvalidOutput("dest is required for local exporter")
    if dest == _STDOUT:
        raise InvalidOutput("dest cannot be stdout for local exporter")
    return _made(LocalOutput, _options(attributes, "local", _LOCAL))


def _require_docker_can(output: ExportOptions) -> None:
    if output.compression == "estargz":
        raise InvalidOutput('exporter option "compression=estargz" conflicts with "oci-mediatypes=false"')
    if output.oci_artifact:
        raise InvalidOutput('exporter option "oci-artifact=true" conflicts with "oci-mediatypes=false"')
    if output.annotations:
        raise InvalidOutput('cannot export annotations with "oci-mediatypes=false"')


def _options(attributes: Mapping[str, str], kind: str, readers: Readers) -> dict[str, object]:
    annotated = "compression" in readers
    rest = {
        name: value for name, value in attributes.items() if not (annotated and name.startswith("annotation"))
    }
    _require_known(rest, readers.keys(), kind)
    options = {
        readers[name][0]: readers[name][1](name, value) for name, value in rest.items() if name in readers
    }
    options.pop(_NOWHERE, None)
    if not annotated:
        return options
    _require_level(options)
    annotations = (name for name in attributes if name.startswith("annotation"))
    options["annotations"] = tuple(parse_attribute(name, attributes[name]) for name in annotations)
    return options


def _require_known(attributes: Mapping[str, str], known: Collection[str], kind: str) -> None:
    for name, value in attributes.items():
        if name in known:
            continue
        if name not in _FIXED or "compression" not in known:
            raise InvalidOutput(f"output type {kind} has no attribute {name!r}")
        if _flag(name, value) != (_FIXED[name] == "true"):
            raise Unsupported(f"output attribute {name}={value} is not supported for type={kind}")


def _require_level(options: Mapping[str, object]) -> None:
    level = options.get("compression_level")
    compression = cast("LayerForm", options.get("compression", "gzip"))
    if level is not None and level not in _LEVELS[compression]:
        raise InvalidOutput(f"compression-level {level} is out of range for {compression}")


def _names(_name: str, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        parse_reference(name)
    return names


def _compression(_name: str, value: str) -> str:
    if value not in get_args(LayerForm):
        raise InvalidOutput(f"unsupported compression type {value}")
    return value


def _mode(_name: str, value: str) -> str:
    if value not in get_args(LocalMode):
        raise InvalidOutput(f'invalid local exporter mode "{value}"')
    return value


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidOutput(f"non-integer value {value!r} specified for {name}") from None


def _flag(name: str, value: str) -> bool:
    """A boolean that is true when nothing is said."""
    return not value or _boolean(name, value)


def _flag_or_auto(name: str, value: str) -> bool | None:
    """A flag that may be left to what the destination takes."""
    return None if value == "auto" else _flag(name, value)


def _boolean(name: str, value: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidOutput(f"non-bool value specified for {name}")


def _denied(name: str, value: str) -> bool:
    """The opposite of what a boolean says."""
    return not _boolean(name, value)


def _only_true(name: str, value: str) -> bool:
    """An attribute of OCI layouts that is true whatever is said, because there is no such layout otherwise."""
    if not _boolean(name, value):
        raise InvalidOutput(f"an OCI layout cannot have {name}=false", hint="use type=docker")
    return False


def _word(_name: str, value: str) -> str:
    return value


def _destination(_name: str, value: str) -> Path | None:
    return Path(value) if value not in ("", _STDOUT) else None


_ANY: Final[dict[str, tuple[str, Reader]]] = {"optional": ("optional", _flag)}
_COMMON: Final[dict[str, tuple[str, Reader]]] = {
    **_ANY,
    # What BuildKit once kept in images and does not any more; its clients still ask.
    "buildinfo": (_NOWHERE, _word),
    "buildinfo-attrs": (_NOWHERE, _word),
    "name": ("names", _names),
    "compression": ("compression", _compression),
    "compression-level": ("compression_level", _integer),
    "force-compression": ("force_compression", _flag),
    "rewrite-timestamp": ("rewrite_timestamp", _boolean),
    "source-date-epoch": ("epoch", _integer),
    "oci-artifact": ("oci_artifact", _flag_or_auto),
    "attestation-inline": ("attestation_inline", _flag),
}
_IMAGE: Final[dict[str, tuple[str, Reader]]] = {
    **_COMMON,
    "oci-mediatypes": ("docker_types", _denied),
    "store": ("store", _flag),
    "store-allow-incomplete": ("allow_incomplete", _flag),
    "unpack": ("unpack", _flag),
    "push": ("push", _flag),
    "push-by-digest": ("by_digest", _flag),
    "registry.insecure": ("insecure", _flag),
    "name-canonical": ("name_canonical", _flag),
    "dangling-name-prefix": ("dangling_prefix", _word),
    # The spelling is BuildKit's.
    "danging-name-empty-only": ("dangling_only_unnamed", _flag),
}
_OCI: Final[dict[str, tuple[str, Reader]]] = {
    **_COMMON,
    "oci-mediatypes": ("docker_types", _only_true),
    "dest": ("dest", _destination),
    "tar": ("tar", _flag),
}
_DOCKER: Final[dict[str, tuple[str, Reader]]] = {**_OCI, "oci-mediatypes": ("docker_types", _denied)}
_TAR: Final[dict[str, tuple[str, Reader]]] = {
    **_ANY,
    "dest": ("dest", _destination),
    "platform-split": ("platform_split", _boolean),
    "attestation-prefix": ("attestation_prefix", _word),
    "source-date-epoch": ("epoch", _integer),
}
_LOCAL: Final[dict[str, tuple[str, Reader]]] = {**_TAR, "mode": ("mode", _mode)}
