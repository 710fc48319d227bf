"""Where the result of a build goes and in which form: the outputs, as values that are checked before any work.

Source: buildx's `--output`, its messages included; BuildKit's exporter attributes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from builder.oci.reference import Reference, parse_reference
from builder.store.containerd.address import Address
from exporter.annotations import Annotation
from exporter.errors import InvalidOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

LayerForm: TypeAlias = Literal["gzip", "zstd", "uncompressed", "estargz"]
"""How the layers of an image are compressed; estargz is gzip that can be read in pieces."""

LocalMode: TypeAlias = Literal["copy", "delete"]

Place: TypeAlias = Address | Literal["embedded"]
"""An image store that an output names: a containerd daemon, or the one in the state root."""


class _Output(msgspec.Struct, frozen=True, kw_only=True):
    """`optional`: when this output fails, the build does not."""

    optional: bool = False


class ExportOptions(_Output, frozen=True, kw_only=True):
    """What outputs of images have in common.

    `names` in any spelling that Docker knows. Without `force_compression` layers of base images keep theirs.
    `compression_level` None is the default of the compression. `epoch` in seconds; with `rewrite_timestamp`
    no file in a new layer is younger. `docker_types`: Docker's media types instead of OCI's.
    `oci_artifact`: attestations as OCI artifacts, or in the older form; None: as the destination takes them.
    `attestation_inline`: also those that are not worth an index of their own.
    """

    names: tuple[str, ...] = ()
    compression: LayerForm = "gzip"
    compression_level: int | None = None
    force_compression: bool = False
    rewrite_timestamp: bool = False
    docker_types: bool = False
    annotations: tuple[Annotation, ...] = ()
    epoch: int | None = None
    oci_artifact: bool | None = None
    attestation_inline: bool = False

    @property
    def references(self) -> tuple[Reference, ...]:
        """`names` in full. Raises: InvalidReference."""
        return tuple(map(parse_reference, self.names))


class ImageOutput(ExportOptions, frozen=True, kw_only=True):
    """Into the image store, unless `store` is false, and with `push` to the registries of the names, too.

    `place` None is the store that is selected. `unpack` makes this machine's platform ready to run.
    With `allow_incomplete` the store does without layers of base images that are at the registry after a push.
    `by_digest` pushes without tags. `name_canonical` adds `NAME@DIGEST` for each name; `dangling_prefix` adds
    `PREFIX@DIGEST`, with `dangling_only_unnamed` only to an image that has no other name.
    """

    store: bool = True
    place: Place | None = None
    unpack: bool = False
    allow_incomplete: bool = False
    push: bool = False
    by_digest: bool = False
    insecure: bool = False
    name_canonical: bool = False
    dangling_prefix: str = ""
    dangling_only_unnamed: bool = False


class OciOutput(ExportOptions, frozen=True, kw_only=True):
    """An OCI layout at `dest`: a tar file, or with `tar` false a directory; None is standard output."""

    dest: Path | None = None
    tar: bool = True


class DockerOutput(ExportOptions, frozen=True, kw_only=True):
    """An archive that `docker load` takes, of one platform, at `dest`; None is standard output.

    With `tar` false the directory `dest` becomes an OCI layout of it.
    """

    dest: Path | None = None
    tar: bool = True


class LoadOutput(ExportOptions, frozen=True, kw_only=True):
    """Into a Docker Engine."""


class FilesOutput(_Output, frozen=True, kw_only=True):
    """What outputs of plain files have in common.

    `platform_split`: a directory for each platform; None: if there are several. `epoch` in seconds is the
    time of every file. `attestation_prefix` stands before the names of attestations' files.
    """

    platform_split: bool | None = None
    epoch: int | None = None
    attestation_prefix: str = ""


class LocalOutput(FilesOutput, frozen=True, kw_only=True):
    """The files of the result below the directory `dest`; mode `delete` removes all others there."""

    dest: Path
    mode: LocalMode = "copy"


class TarOutput(FilesOutput, frozen=True, kw_only=True):
    """The files of the result as a tar archive at `dest`; None is standard output."""

    dest: Path | None = None


class CacheOnlyOutput(_Output, frozen=True, kw_only=True):
    """Nothing but the build cache."""


Output: TypeAlias = (
    ImageOutput | OciOutput | DockerOutput | LoadOutput | LocalOutput | TarOutput | CacheOnlyOutput
)

_KINDS: Final = {
    ImageOutput: "image",
    OciOutput: "oci",
    DockerOutput: "docker",
    LoadOutput: "docker",
    LocalOutput: "local",
    TarOutput: "tar",
    CacheOnlyOutput: "cacheonly",
}


def kind_of(output: Output) -> str:
    """The `type` that people give the output."""
    return _KINDS[type(output)]


def describe_output(output: Output) -> str:
    """The output in the words that ask for it, shortened: `type=local,dest=out`."""
    text = f"type={kind_of(output)}"
    if isinstance(output, LocalOutput | TarOutput | OciOutput | DockerOutput):
        return f"{text},dest={output.dest or '-'}"
    if isinstance(output, ImageOutput):
        where = output.place.url if isinstance(output.place, Address) else output.place
        text += f",store={where}" if where else ""
        return f"{text}{_names(output)},push=true" if output.push else text
    return text


def _names(output: ExportOptions) -> str:
    if len(output.names) > 1:
        return f',"name={",".join(output.names)}"'
    return f",name={output.names[0]}" if output.names else ""


def writes_to_stdout(output: Output) -> bool:
    """Whether standard output is where the result goes."""
    return isinstance(output, OciOutput | DockerOutput | TarOutput) and output.dest is None


def require_writable(outputs: Sequence[Output], *, stdout_is_terminal: bool) -> None:
    """Looks whether every destination can be written to, without touching it.

    Raises: InvalidOutput, worded as buildx words it.
    """
    if sum(map(writes_to_stdout, outputs)) > 1:
        raise InvalidOutput("multiple outputs configured to write to stdout")
    for output in outputs:
        if writes_to_stdout(output):
            if stdout_is_terminal:
                raise InvalidOutput(
                    f"dest file is required for {kind_of(output)} exporter. refusing to write to console"
                )
        elif isinstance(output, LocalOutput):
            _require_directory(output.dest, may_be_deep=True)
        elif isinstance(output, OciOutput | DockerOutput | TarOutput) and output.dest is not None:
            if isinstance(output, OciOutput | DockerOutput) and not output.tar:
                _require_directory(output.dest, may_be_deep=False)
            else:
                _require_file(output.dest)


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise InvalidOutput(f"destination file {path} is a directory")
    _require_parent(path)


def _require_directory(path: Path, *, may_be_deep: bool) -> None:
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            raise InvalidOutput(f"destination directory {path} cannot be written to")
    elif path.exists():
        raise InvalidOutput(f"destination directory {path} is a file")
    elif may_be_deep and not path.parent.is_dir():
        _require_directory(path.parent, may_be_deep=True)
    else:
        _require_parent(path)


def _require_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise InvalidOutput(f"invalid destination {path}: directory {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InvalidOutput(f"invalid destination {path}: directory {path.parent} cannot be written to")
