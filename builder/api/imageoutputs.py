"""Outputs that are images: in a store, in archives and layouts, in a Docker Engine.

Most builds have one of them, so what only one kind needs is loaded with it.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final, assert_never

from msgspec.structs import replace

from builder.api.assembling import Assembler
from builder.api.metering import Watch
from builder.api.options import BuildResult, PlatformResult
from builder.oci.manifest import is_index
from builder.platforms import best_match
from builder.store.errors import NoMatchingPlatform
from builder.store.layout.names import CREATED
from exporter.image import write_image
from exporter.outputs import DockerOutput, ImageOutput, LoadOutput, OciOutput
from exporter.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from builder.api.assembling import InlineCaches
    from builder.api.built import Built
    from builder.api.destinations import Destinations
    from builder.api.imaging import ImageDelivery
    from builder.api.signing import ImageSigner
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.platforms import Platform
    from builder.progress.stream import Stream
    from exporter.assemble import Assembled, Layer
    from exporter.attest.statement import Attestation
    from exporter.outputs import ExportOptions

_BILLION: Final = 1_000_000_000


class ImageOutputs:
    """Delivers images of one build. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(
        self,
        built: Built,
        stream: Stream,
        destinations: Destinations,
        *,
        signer: ImageSigner | None,
        inline: InlineCaches | None,
    ) -> None:
        """`signer` signs images; `inline` has caches to put into them."""
        self._built = built
        self._stream = stream
        self._watch = Watch(stream)
        self._destinations = destinations
        self._signer = signer
        self._assembler = Assembler(built.targets, built.solution, built.workspace, inline=inline)

    def prepare(self, output: ImageOutput | OciOutput | DockerOutput | LoadOutput) -> None:
        """Makes or fetches the blobs that `output` needs in the content store."""
        absent = isinstance(output, ImageOutput) and self._delivery(output).layers_may_be_absent
        self._assembler.blobs(output, absent=absent)

    def deliver(
        self, output: ImageOutput | OciOutput | DockerOutput | LoadOutput, *, multi_platform: bool
    ) -> BuildResult:
        """Makes `output`; what it is."""
        match output:
            case ImageOutput():
                return self._to_image(output, multi_platform=multi_platform)
            case OciOutput() | DockerOutput():
                return self._to_archive(output, multi_platform=multi_platform)
            case LoadOutput():
                return self._to_engine(output, multi_platform=multi_platform)
        assert_never(output)

    def _to_image(self, output: ImageOutput, *, multi_platform: bool) -> BuildResult:
        delivery = self._delivery(output)
        with self._watch.exporting(output, "image") as vertex:
            assembled = self._assemble(
                output,
                vertex,
                multi_platform=multi_platform,
                absent=delivery.layers_may_be_absent,
                inline=True,
            )
            names = delivery.names(assembled.root)
            if delivery.pushes_first:
                delivery.push_first(assembled, vertex, complete=lambda: self._assembler.blobs(output))
            else:
                delivery.keep_first(assembled, vertex)
            return _result(assembled, output, names)

    def _delivery(self, output: ImageOutput) -> ImageDelivery:
        from builder.api.imaging import ImageDelivery

        return ImageDelivery(
            output,
            self._built.workspace,
            self._destinations,
            signer=self._signer,
            trees=self._unpacked,
            part=self._watch.part,
        )

    def _unpacked(self, platform: Platform) -> None:
        """Unpacks the layers of the result for `platform`. Raises: NoMatchingPlatform, DockyardError."""
        position = best_match(platform, [target.platform for target in self._built.targets])
        if position is None:
            raise NoMatchingPlatform(f"nothing to unpack: the image is not for {platform}")
        self._built.workspace.layers.trees(self._built.solution.stacks[position])

    def _to_archive(self, output: OciOutput | DockerOutput, *, multi_platform: bool) -> BuildResult:
        from exporter.oci import layout_entries, write_oci

        content = self._built.workspace.lease.content
        kind = "oci image format" if isinstance(output, OciOutput) else "docker image format"
        with self._watch.exporting(output, kind) as vertex:
            assembled = self._assemble(output, vertex, multi_platform=multi_platform)
            write_image(assembled, content)
            entries = layout_entries(assembled.root, output.references, created=_created(output))
            with self._watch.part(vertex, "sending tarball") as sent:
                if isinstance(output, OciOutput):
                    entries = self._with_signatures(entries, assembled, output)
                    write_oci(content, entries, output, stdout=sys.stdout.fileno(), progress=sent.blob)
                else:
                    from exporter.docker import write_docker

                    write_docker(content, entries, output, stdout=sys.stdout.fileno(), progress=sent.blob)
            result = _result(assembled, output, map(str, output.references))
            return replace(result, image_id=_config_id(assembled))

    def _with_signatures(
        self, entries: tuple[Descriptor, ...], assembled: Assembled, output: OciOutput
    ) -> tuple[Descriptor, ...]:
        """`entries` of a layout, with those for the signatures of this build."""
        if self._signer is None:
            return entries
        from builder.api.signing import with_signatures

        content, names = self._built.workspace.lease.content, output.references
        self._signer.sign(content, assembled.root, names[0] if names else None)
        return with_signatures(content, entries)

    def _to_engine(self, output: LoadOutput, *, multi_platform: bool) -> BuildResult:
        from builder.api.images.sending import send_image
        from builder.store.engine.engine import find_engine
        from builder.store.engine.places import DEFAULT_SOCKET, unreachable

        engine = find_engine(os.environ)
        if engine is None:
            raise unreachable(DEFAULT_SOCKET)
        if not engine.has_containerd_store:
            # It unpacks layers at once, and old ones cannot unpack zstd; nor does it know an index.
            output = replace(
                output,
                compression="gzip",
                compression_level=None,
                force_compression=True,
                attestation_inline=False,
            )
        with engine, self._watch.exporting(output, "docker image format") as vertex:
            assembled = self._assemble(output, vertex, multi_platform=multi_platform)
            result = _result(assembled, output, map(str, output.references))
            if not engine.has_containerd_store:
                result = replace(result, image_id=_config_id(assembled))
            with self._watch.part(vertex, "importing to docker") as sent:
                content = self._built.workspace.lease.content
                write_image(assembled, content)
                names, created = output.references, _created(output)
                send_image(engine, content, assembled.root, names, created=created, progress=sent.blob)
            return result

    def _assemble(
        self,
        output: ExportOptions,
        vertex: Digest,
        *,
        multi_platform: bool,
        absent: bool = False,
        inline: bool = False,
    ) -> Assembled:
        """The image; with `inline` also attestations that are not worth an index of their own."""
        if output.rewrite_timestamp and output.epoch is None:
            self._stream.warning(vertex, "rewrite-timestamp is specified, but no source-date-epoch was found")
        with self._watch.part(vertex, "exporting layers") as written:
            blobs = self._assembler.blobs(output, absent=absent, progress=written.report)
        layers = self._assembler.layers(blobs)
        inline = inline or output.attestation_inline or multi_platform or len(self._built.targets) > 1
        attestations = [self._attestations(output, n, each, inline=inline) for n, each in enumerate(layers)]
        assembled = self._assembler.assemble(
            output, layers, multi_platform=multi_platform or any(attestations)
        )
        if not any(attestations):
            return assembled
        from exporter.attest.attach import attach

        artifact = output.oci_artifact
        if artifact is None:
            artifact = self._destinations.take_artifacts()
        return attach(
            assembled,
            attestations,
            names=output.references,
            artifact=artifact,
            labels_of=self._labels,
        )

    def _labels(self, digest: Digest) -> Mapping[str, str]:
        blob = self._built.workspace.lease.content.find(digest)
        return {} if blob is None else blob.labels

    def _attestations(
        self, output: ExportOptions, target: int, layers: tuple[Layer, ...], *, inline: bool
    ) -> list[Attestation]:
        if output.docker_types:
            # What somebody asked for has been refused before; what comes by default has no place there.
            return []
        found = [each for source in self._built.sources for each in source.attestations(target, layers)]
        return [each for each in found if inline or not each.inline_only]


def _created(output: ExportOptions) -> str:
    epoch = output.epoch if output.epoch is not None else int(time.time())
    return format_time(epoch * _BILLION)


def _config_id(assembled: Assembled) -> Digest | None:
    """What engines that keep one platform call the image; None for an index."""
    return None if is_index(assembled.root.media_type) else assembled.platforms[0].config.digest


def _result(assembled: Assembled, output: ExportOptions, names: Iterable[str]) -> BuildResult:
    annotations = {CREATED: _created(output), **assembled.root.annotations}
    return BuildResult(
        digest=assembled.root.digest,
        descriptor=replace(assembled.root, annotations=annotations),
        platforms=tuple(
            PlatformResult(platform=each.platform, manifest=each.manifest, config=each.config)
            for each in assembled.platforms
        ),
        names=tuple(names),
    )
