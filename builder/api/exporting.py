"""From solved targets to the outputs that were asked for: blobs first, then documents, names last."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.api.options import BuildResult, PlatformResult
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.snapshot.layerdb import Format
from builder.solver.workers import Workers
from exporter.annotations import parse_annotation
from exporter.assemble import Layer, PlatformImage, assemble
from exporter.image import store_image, write_image
from exporter.oci import layout_entries, write_oci
from exporter.outputs import CacheOnlyOutput, ExportOptions, ImageOutput, OciOutput
from exporter.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from builder.api.options import BuildOptions
    from builder.api.workspace import Workspace
    from builder.graph import Target
    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.progress.stream import Stream
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import LayerBlob
    from builder.solver.solve import Solution
    from exporter.assemble import Assembled
    from exporter.outputs import Output

_PARALLEL: Final = 2
"""Layers that are compressed at once; each of them uses several threads itself."""


def chosen_outputs(options: BuildOptions) -> tuple[Output, ...]:
    """The outputs of a build: those that were named, else the image store; tags take the place of names.

    An archive of a tagged image is in the store under its tags, too: its blobs are there anyway, and whoever
    has just built `hello:1` expects to run it. Raises: InvalidReference.
    """
    for tag in options.tags:
        parse_reference(tag)
    outputs = options.outputs or (ImageOutput(),)
    archives = [output for output in outputs if isinstance(output, OciOutput)]
    if options.tags and archives and not any(isinstance(output, ImageOutput) for output in outputs):
        shared = {name: getattr(archives[0], name) for name in ExportOptions.__struct_fields__}
        outputs = (*outputs, ImageOutput(**shared))
    annotations = tuple(
        each for name, value in options.annotations.items() for each in parse_annotation(name, value)
    )
    epoch = options.build_args.get("SOURCE_DATE_EPOCH", "")
    return tuple(
        output
        if isinstance(output, CacheOnlyOutput)
        else replace(
            output,
            names=options.tags or output.names,
            annotations=(*annotations, *output.annotations),
            epoch=int(epoch) if output.epoch is None and epoch.isdecimal() else output.epoch,
        )
        for output in outputs
    )


def layer_format(outputs: Sequence[Output]) -> Format:
    """The form in which layers are most likely asked for: that of the first output that has one."""
    return next((_format(each) for each in outputs if not isinstance(each, CacheOnlyOutput)), Format())


class Export:
    """Delivers one build. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(
        self, targets: Sequence[Target], solution: Solution, workspace: Workspace, stream: Stream
    ) -> None:
        self._targets = targets
        self._solution = solution
        self._workspace = workspace
        self._stream = stream

    def deliver(self, outputs: Sequence[Output], *, multi_platform: bool) -> BuildResult:
        """Makes every output; the result describes what the first of them holds."""
        results = [self._deliver(output, multi_platform=multi_platform) for output in outputs]
        names = tuple(dict.fromkeys(name for result in results for name in result.names))
        return replace(results[0], names=names)

    def _deliver(self, output: Output, *, multi_platform: bool) -> BuildResult:
        if isinstance(output, CacheOnlyOutput):
            assembled = self._assemble(ImageOutput(), multi_platform=multi_platform)
            return _result(assembled, ())
        kind = "image" if isinstance(output, ImageOutput) else "oci image format"
        with self._vertex(f"exporting to {kind}") as digest:
            assembled = self._assemble(output, multi_platform=multi_platform, vertex=digest)
            names = output.references
            if isinstance(output, OciOutput):
                self._write_oci(assembled, output, names, digest)
                return _result(assembled, ())
            with self._part(digest, f"naming to {', '.join(map(str, names))}" if names else "storing image"):
                store_image(assembled, self._workspace.lease, self._workspace.store.images, names=names)
            return _result(assembled, names)

    def _assemble(
        self, output: ExportOptions, *, multi_platform: bool, vertex: Digest | None = None
    ) -> Assembled:
        blobs = self._blobs(output, vertex)
        images = [
            PlatformImage(
                platform=target.platform,
                config=target.config,
                layers=tuple(
                    Layer(
                        descriptor=blobs[layer].descriptor,
                        diff_id=blobs[layer].diff_id,
                        created=format_time(blobs[layer].created_ns),
                    )
                    for layer in stack
                ),
            )
            for target, stack in zip(self._targets, self._solution.stacks, strict=True)
        ]
        return assemble(
            images, annotations=output.annotations, epoch=output.epoch, multi_platform=multi_platform
        )

    def _blobs(self, output: ExportOptions, vertex: Digest | None) -> dict[LayerID, LayerBlob]:
        layers = list(dict.fromkeys(layer for stack in self._solution.stacks for layer in stack))
        if vertex is None:
            return self._convert(layers, output)
        label = "exporting layers"
        with self._part(vertex, label):
            return self._convert(
                layers, output, lambda done: self._stream.status(vertex, label, current=done)
            )

    def _convert(
        self, layers: Sequence[LayerID], output: ExportOptions, progress: Callable[[int], None] | None = None
    ) -> dict[LayerID, LayerBlob]:
        blobs: dict[LayerID, LayerBlob] = {}
        errors: list[BaseException] = []
        workers = Workers(_PARALLEL)

        def convert(layer: LayerID) -> None:
            try:
                if not errors:
                    blobs[layer] = self._workspace.layers.blob(
                        layer, _format(output), force=output.force_compression, progress=progress
                    )
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
                errors.append(error)

        for layer in layers:
            workers.submit(lambda layer=layer: convert(layer))  # type: ignore[misc]
        workers.join()
        if errors:
            raise errors[0]
        return blobs

    def _write_oci(
        self, assembled: Assembled, output: OciOutput, names: Sequence[Reference], vertex: Digest
    ) -> None:
        content = self._workspace.lease.content
        write_image(assembled, content)
        epoch = output.epoch if output.epoch is not None else int(time.time())
        entries = layout_entries(assembled.root, names, created=format_time(epoch * 1_000_000_000))
        sent = 0

        def report(_blob: Descriptor, size: int) -> None:
            nonlocal sent
            sent += size
            self._stream.status(vertex, "sending tarball", current=sent)

        with self._part(vertex, "sending tarball"):
            write_oci(content, entries, output, stdout=sys.stdout.fileno(), progress=report)

    @contextmanager
    def _vertex(self, name: str) -> Iterator[Digest]:
        digest = Digest.of(name.encode())
        with self._stream.vertex(digest, name):
            yield digest

    @contextmanager
    def _part(self, vertex: Digest, label: str) -> Iterator[None]:
        self._stream.status(vertex, label)
        yield
        self._stream.status(vertex, label, done=True)


def _format(output: ExportOptions) -> Format:
    return Format(output.compression, output.compression_level)


def _result(assembled: Assembled, names: Sequence[Reference]) -> BuildResult:
    return BuildResult(
        digest=assembled.root.digest,
        descriptor=assembled.root,
        platforms=tuple(
            PlatformResult(platform=each.platform, manifest=each.manifest, config=each.config)
            for each in assembled.platforms
        ),
        names=tuple(map(str, names)),
    )
