"""From solved targets to the outputs that were asked for: blobs first, then documents, names last.

Outputs do not depend on each other: one that fails does not stop the others, and in the end it is said which did.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, assert_never

from msgspec.structs import replace

from builder.api.assembling import Assembler
from builder.api.imaging import ImageDelivery
from builder.api.metering import Meter
from builder.api.options import BuildResult, PlatformResult
from builder.api.outputs import chosen_outputs, layer_format
from builder.oci.digest import Digest
from builder.oci.manifest import is_index
from builder.platforms import best_match
from builder.store.engine.engine import find_engine
from builder.store.engine.places import DEFAULT_SOCKET, unreachable
from builder.store.errors import NoMatchingPlatform
from builder.store.layout.names import CREATED
from builder.system.errors import Cancelled, DockyardError
from exporter.attest.attach import attach
from exporter.attest.files import Naming, attestation_nodes, with_attestations
from exporter.docker import write_docker
from exporter.errors import OutputsFailed
from exporter.files import write_files_tar
from exporter.image import write_image
from exporter.local import write_files
from exporter.oci import layout_entries, write_oci
from exporter.outputs import (
    CacheOnlyOutput,
    DockerOutput,
    ImageOutput,
    LoadOutput,
    LocalOutput,
    OciOutput,
    TarOutput,
    describe_output,
)
from exporter.rootfs import RootFiles, result_nodes
from exporter.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from builder.api.assembling import InlineCaches
    from builder.api.destinations import Destinations
    from builder.api.signing import ImageSigner
    from builder.api.workspace import Workspace
    from builder.graph import Target
    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform
    from builder.progress.stream import Stream
    from builder.snapshot.entry import Node
    from builder.solver.solve import Solution
    from exporter.assemble import Assembled, Layer
    from exporter.attest.source import AttestationSource
    from exporter.attest.statement import Attestation
    from exporter.outputs import ExportOptions, Output

__all__ = ["Export", "chosen_outputs", "layer_format"]

_BILLION: Final = 1_000_000_000


class Export:
    """Delivers one build. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(
        self,
        targets: Sequence[Target],
        solution: Solution,
        workspace: Workspace,
        stream: Stream,
        destinations: Destinations,
        *,
        sources: Sequence[AttestationSource] = (),
        signer: ImageSigner | None = None,
        inline: InlineCaches | None = None,
    ) -> None:
        """`signer` signs images; `inline` has caches to put into them.

        `sources` say what is attested; none is asked before the targets are solved.
        """
        self._sources = sources
        self._signer = signer
        self._targets = targets
        self._solution = solution
        self._workspace = workspace
        self._stream = stream
        self._destinations = destinations
        self._assembler = Assembler(targets, solution, workspace, inline=inline)

    def deliver(self, outputs: Sequence[Output], *, multi_platform: bool) -> BuildResult:
        """Makes every output; the result describes the first of them that is an image.

        Raises: the error of an output that is the only one; OutputsFailed for others that had to succeed.
        """
        results: list[BuildResult] = []
        delivered: list[str] = []
        failures: list[tuple[str, DockyardError | OSError]] = []
        for output in outputs:
            try:
                results.append(self._deliver(output, multi_platform=multi_platform))
            except Cancelled:
                raise
            except (DockyardError, OSError) as error:
                if len(outputs) == 1 and not output.optional:
                    raise
                if output.optional:
                    self._stream.warning(
                        _vertex(output), f"the optional output {describe_output(output)} failed: {error}"
                    )
                else:
                    failures.append((describe_output(output), error))
            else:
                delivered.append(describe_output(output))
        if failures:
            raise OutputsFailed(failures, delivered) from failures[0][1]
        names = tuple(dict.fromkeys(name for result in results for name in result.names))
        described = next((result for result in results if result.digest is not None), BuildResult())
        return replace(described, names=names)

    def _deliver(self, output: Output, *, multi_platform: bool) -> BuildResult:
        match output:
            case CacheOnlyOutput():
                return BuildResult()
            case LocalOutput() | TarOutput():
                self._write_files(output, split=multi_platform or len(self._targets) > 1)
                return BuildResult()
            case ImageOutput():
                return self._to_image(output, multi_platform=multi_platform)
            case OciOutput() | DockerOutput():
                return self._to_archive(output, multi_platform=multi_platform)
            case LoadOutput():
                return self._to_engine(output, multi_platform=multi_platform)
        assert_never(output)

    # Images.

    def _to_image(self, output: ImageOutput, *, multi_platform: bool) -> BuildResult:
        delivery = ImageDelivery(
            output,
            self._workspace,
            self._destinations,
            signer=self._signer,
            trees=self._unpacked,
            part=self._part,
        )
        with self._exporting(output, "image") as vertex:
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

    def _unpacked(self, platform: Platform) -> None:
        """Unpacks the layers of the result for `platform`. Raises: NoMatchingPlatform, DockyardError."""
        position = best_match(platform, [target.platform for target in self._targets])
        if position is None:
            raise NoMatchingPlatform(f"nothing to unpack: the image is not for {platform}")
        self._workspace.layers.trees(self._solution.stacks[position])

    def _to_archive(self, output: OciOutput | DockerOutput, *, multi_platform: bool) -> BuildResult:
        content = self._workspace.lease.content
        kind = "oci image format" if isinstance(output, OciOutput) else "docker image format"
        with self._exporting(output, kind) as vertex:
            assembled = self._assemble(output, vertex, multi_platform=multi_platform)
            write_image(assembled, content)
            entries = layout_entries(assembled.root, output.references, created=_created(output))
            with self._part(vertex, "sending tarball") as sent:
                if isinstance(output, OciOutput):
                    entries = self._with_signatures(entries, assembled, output)
                    write_oci(content, entries, output, stdout=sys.stdout.fileno(), progress=sent.blob)
                else:
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

        content, names = self._workspace.lease.content, output.references
        self._signer.sign(content, assembled.root, names[0] if names else None)
        return with_signatures(content, entries)

    def _to_engine(self, output: LoadOutput, *, multi_platform: bool) -> BuildResult:
        from builder.api.images.sending import send_image

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
        with engine, self._exporting(output, "docker image format") as vertex:
            assembled = self._assemble(output, vertex, multi_platform=multi_platform)
            result = _result(assembled, output, map(str, output.references))
            if not engine.has_containerd_store:
                result = replace(result, image_id=_config_id(assembled))
            with self._part(vertex, "importing to docker") as sent:
                content = self._workspace.lease.content
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
        with self._part(vertex, "exporting layers") as written:
            blobs = self._assembler.blobs(output, absent=absent, progress=written.report)
        layers = self._assembler.layers(blobs)
        inline = inline or output.attestation_inline or multi_platform or len(self._targets) > 1
        attestations = [self._attestations(output, n, each, inline=inline) for n, each in enumerate(layers)]
        assembled = self._assembler.assemble(
            output, layers, multi_platform=multi_platform or any(attestations)
        )
        if not any(attestations):
            return assembled
        artifact = output.oci_artifact
        if artifact is None:
            artifact = self._destinations.take_artifacts()
        return attach(assembled, attestations, names=output.references, artifact=artifact)

    def _attestations(
        self, output: ExportOptions, target: int, layers: tuple[Layer, ...], *, inline: bool
    ) -> list[Attestation]:
        if output.docker_types:
            # What somebody asked for has been refused before; what comes by default has no place there.
            return []
        found = [each for source in self._sources for each in source.attestations(target, layers)]
        return [each for each in found if inline or not each.inline_only]

    # Files.

    def _write_files(self, output: LocalOutput | TarOutput, *, split: bool) -> None:
        several = split
        if output.platform_split is not None:
            split = output.platform_split
        views = (self._workspace.layers.view(stack, content=True) for stack in self._solution.stacks)
        results = [
            RootFiles(target.platform, view) for target, view in zip(self._targets, views, strict=True)
        ]
        nodes = result_nodes(results, split=split, epoch=output.epoch)
        naming = Naming(split=split, several=several, prefix=output.attestation_prefix)
        if statements := self._statements(results, naming, epoch=output.epoch):
            nodes = with_attestations(nodes, statements)
        if isinstance(output, LocalOutput):
            with (
                self._exporting(output, "client directory") as vertex,
                self._part(vertex, "copying files") as sent,
            ):
                write_files(sent.counted(nodes), output.dest, mode=output.mode)
        else:
            with (
                self._exporting(output, "client tarball") as vertex,
                self._part(vertex, "sending tarball") as sent,
            ):
                write_files_tar(sent.counted(nodes), output.dest, stdout=sys.stdout.fileno())

    def _statements(
        self, results: Sequence[RootFiles], naming: Naming, *, epoch: int | None
    ) -> tuple[Node, ...]:
        """The attestations as files; those that are worth none of their own are left out."""
        asked = [
            [
                each
                for source in self._sources
                for each in source.attestations(n, None)
                if not each.inline_only
            ]
            for n in range(len(results))
        ]
        mtime_ns = time.time_ns() if epoch is None else epoch * _BILLION
        return attestation_nodes(list(zip(results, asked, strict=True)), naming, mtime_ns=mtime_ns)

    # Progress.

    @contextmanager
    def _exporting(self, output: Output, kind: str) -> Iterator[Digest]:
        digest = _vertex(output)
        with self._stream.vertex(digest, f"exporting to {kind}"):
            yield digest

    @contextmanager
    def _part(self, vertex: Digest, label: str) -> Iterator[Meter]:
        meter = Meter(lambda size: self._stream.status(vertex, label, current=size))
        self._stream.status(vertex, label)
        yield meter
        self._stream.status(vertex, label, current=meter.size, done=True)


def _vertex(output: Output) -> Digest:
    return Digest.of(f"exporting to {describe_output(output)}".encode())


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
