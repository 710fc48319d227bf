"""Which outputs a build has: what was asked for, completed by tags, driver and engine before any work starts.

What cannot be delivered is refused here, because the end of a long build is the wrong moment to learn of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from builder.api.attesting import admitted, is_explicit, makes_index, require_attestable
from builder.api.images.opening import chosen_engine
from builder.oci.reference import parse_reference
from builder.platforms import best_match, host_platform, parse_platforms
from builder.snapshot.layerdb import Format
from builder.store.admission import require_multi_platform
from builder.store.errors import DriverError
from builder.store.selection import CONTAINERD, EMBEDDED_CLASSIC
from builder.system.places import default_root
from exporter.annotations import parse_annotation, require_applicable
from exporter.errors import REFUSED_INDEX, InvalidOutput
from exporter.forms import form_of
from exporter.outputs import (
    CacheOnlyOutput,
    DockerOutput,
    ExportOptions,
    FilesOutput,
    ImageOutput,
    LoadOutput,
    LocalOutput,
    OciOutput,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.api.options import BuildOptions
    from builder.platforms import Platform
    from exporter.outputs import Output

_Images = TypeVar("_Images", bound=ExportOptions)


def routed(options: BuildOptions, environ: Mapping[str, str]) -> BuildOptions:
    """`options` as they are with the docker driver if an engine listens: what was for the store goes there.

    Without an engine, and with any other driver, `options` stay as they are.
    Raises: DriverError for what the engine cannot hold; EngineNotFound, EngineError, UsageError, StoreError.
    """
    engine = chosen_engine(_root(options), options.driver, environ)
    if engine is None:
        return options
    with engine:
        require_multi_platform(engine.capabilities, _platforms(options))
        options = admitted(options, engine.capabilities)
    outputs = tuple(each for output in options.outputs or (ImageOutput(),) for each in _to_engine(output))
    # A build works in a store of its own, and that must hold what the engine can hold.
    driver = CONTAINERD.name if engine.has_containerd_store else EMBEDDED_CLASSIC
    return replace(options, outputs=outputs, driver=driver)


def chosen_outputs(options: BuildOptions) -> tuple[Output, ...]:
    """The outputs of a build: those that were named, else the image store; tags take the place of names.

    An archive of a tagged image is in the store under its tags, too: its blobs are there anyway, and whoever
    has just built `hello:1` expects to run it.
    Raises: InvalidReference, InvalidOutput, DriverError, EngineNotFound.
    """
    for tag in options.tags:
        parse_reference(tag)
    outputs = options.outputs or (ImageOutput(),)
    if any(isinstance(output, LoadOutput) for output in outputs):
        outputs = _loadable(outputs, options)
    archives = [output for output in outputs if isinstance(output, OciOutput | DockerOutput)]
    if options.tags and archives and not any(isinstance(output, ImageOutput) for output in outputs):
        outputs = (*outputs, _as(ImageOutput, archives[0]))
    completed = tuple(_completed(output, options) for output in outputs)
    for output in completed:
        _require_possible(output, options)
    if options.signing is not None and not any(
        isinstance(each, ImageOutput | OciOutput) for each in completed
    ):
        raise InvalidOutput(
            "nothing that this build delivers can carry signatures",
            hint="image stores, registries (type=image, --push) and archives of type=oci can",
        )
    return completed


def forces_index(options: BuildOptions) -> bool:
    """Whether the build wants an index even for one platform, as BuildKit's build argument says."""
    return options.build_args.get("BUILDKIT_MULTI_PLATFORM", "").lower() in ("1", "true")


def layer_format(outputs: Sequence[Output]) -> Format | None:
    """The form in which layers are most likely asked for: that of the first output that has one.

    None: nobody wants layers, only the files in them.
    """
    formats = [form_of(output).kept for output in outputs if isinstance(output, ExportOptions)]
    if not formats and any(isinstance(output, FilesOutput) for output in outputs):
        return None
    return formats[0] if formats else Format()


def _root(options: BuildOptions) -> Path:
    return options.root or default_root(os.environ, uid=os.geteuid())


def _platforms(options: BuildOptions) -> tuple[Platform, ...]:
    if options.definition is not None:
        return tuple(target.platform for target in options.definition)
    return parse_platforms(options.platforms)


def _to_engine(output: Output) -> tuple[Output, ...]:
    """`output` with the engine in the place of the store."""
    if not isinstance(output, ImageOutput):
        return (output,)
    # Its store is an image store, too, and keeps what a store keeps.
    loaded = replace(_as(LoadOutput, output), attestation_inline=True)
    return (loaded, replace(output, store=False)) if output.push else (loaded,)


def _loadable(outputs: Sequence[Output], options: BuildOptions) -> tuple[Output, ...]:
    """`outputs` when there is an engine that can take them; without one, the store takes its place."""
    from builder.store.engine.engine import find_engine

    engine = find_engine(os.environ)
    if engine is None:
        return tuple(
            _as(ImageOutput, output) if isinstance(output, LoadOutput) else output for output in outputs
        )
    with engine:
        several = len(set(_platforms(options))) > 1 or is_explicit(options)
        if several and not engine.has_containerd_store:
            raise DriverError(
                REFUSED_INDEX,
                hint="build one platform without attestations, or turn on the containerd image store of the engine",
            )
    return tuple(outputs)


def _as(kind: type[_Images], output: ExportOptions) -> _Images:
    """Another kind of output with all that outputs of images have in common."""
    return kind(**{name: getattr(output, name) for name in ExportOptions.__struct_fields__})


def _completed(output: Output, options: BuildOptions) -> Output:
    if isinstance(output, CacheOnlyOutput):
        return output
    said = options.build_args.get("SOURCE_DATE_EPOCH", "")
    epoch = int(said) if output.epoch is None and said.isdecimal() else output.epoch
    if not isinstance(output, ExportOptions):
        return replace(output, epoch=epoch)
    annotations = tuple(
        each for name, value in options.annotations.items() for each in parse_annotation(name, value)
    )
    return replace(
        output,
        names=options.tags or output.names,
        annotations=(*annotations, *output.annotations),
        epoch=epoch,
    )


def _require_possible(output: Output, options: BuildOptions) -> None:
    """Raises: InvalidOutput; ExportError for annotations of documents that the image will not have."""
    require_attestable(output, options)
    if isinstance(output, ExportOptions):
        platforms = _platforms(options) or (host_platform(),)
        has_index = len(set(platforms)) > 1 or makes_index(output, options) or forces_index(options)
        require_applicable(output.annotations, platforms, has_index=has_index)
    if isinstance(output, DockerOutput) and len(set(_platforms(options))) > 1:
        raise InvalidOutput(
            "docker exporter does not support exporting manifest lists, use the oci exporter instead"
        )
    if isinstance(output, LocalOutput) and output.mode == "delete":
        _require_nothing_dear(output.dest, options)
    if isinstance(output, ImageOutput):
        if output.push:
            _require_pushable(output)
        if output.unpack:
            _require_ours(_platforms(options))


def _require_nothing_dear(dest: Path, options: BuildOptions) -> None:
    """Removing all that the result lacks must not remove what it is made from."""
    place = dest.resolve()
    dear = [Path("/"), *(Path(each) for each in (options.context, options.root) if each is not None)]
    if any(each.resolve().is_relative_to(place) for each in dear):
        raise InvalidOutput(
            f"mode=delete would remove everything in {dest} that the build does not make",
            hint="name a directory of its own for the result",
        )


def _require_ours(platforms: Sequence[Platform]) -> None:
    ours = host_platform()
    if platforms and best_match(ours, platforms) is None:
        raise InvalidOutput(
            f"unpack=true is for {ours}, this machine's platform, which the build does not have",
            hint=f"leave it out, or add {ours} to --platform",
        )


def _require_pushable(output: ImageOutput) -> None:
    if not output.names:
        raise InvalidOutput("tag is needed when pushing to registry")
    tagged = next((name for name in output.names if ":" in name.rpartition("/")[2].partition("@")[0]), None)
    if output.by_digest and tagged is not None:
        raise InvalidOutput(f"can't push tagged ref {parse_reference(tagged)} by digest")
