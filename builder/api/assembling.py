"""From the layers of solved targets to images: layers in the form that an output asks for, then documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec.structs import replace

from builder.cache.remote.places import INLINE
from builder.solver.workers import in_parallel
from exporter.assemble import Layer, PlatformImage, assemble
from exporter.forms import form_of, variant
from exporter.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from builder.api.workspace import Workspace
    from builder.graph import Target
    from builder.oci.config import ImageConfig
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import LayerBlob
    from builder.solver.solve import Solution
    from exporter.assemble import Assembled
    from exporter.forms import Form
    from exporter.outputs import ExportOptions

    Progress: TypeAlias = Callable[[int], None]

_PARALLEL: Final = 2
"""Layers that are compressed at once; each of them uses several threads itself."""


class InlineCaches(Protocol):
    """Caches that images carry in their configs."""

    def payload(self, target: int, image: Sequence[Layer], *, epoch: int | None) -> bytes | None:
        """The cache, as JSON, for the image of the `target`-th platform, of layers `image`; None: it is empty."""
        ...


class Assembler:
    """Makes images of one solution. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(
        self,
        targets: Sequence[Target],
        solution: Solution,
        workspace: Workspace,
        *,
        inline: InlineCaches | None = None,
    ) -> None:
        self._inline = inline
        self._targets = targets
        self._stacks = solution.stacks
        self._workspace = workspace

    def blobs(
        self, output: ExportOptions, *, absent: bool = False, progress: Progress | None = None
    ) -> Mapping[LayerID, LayerBlob]:
        """The blobs of all layers as `output` wants them, in the content store.

        With `absent` those of base images that keep their form need not be there.
        `progress` hears how many bytes of a layer have been written.
        """
        form = form_of(output)
        layers = list(dict.fromkeys(layer for stack in self._stacks for layer in stack))
        blobs: dict[LayerID, LayerBlob] = {}

        def keep(layer: LayerID) -> None:
            force = output.force_compression and not form.is_variant
            blobs[layer] = self._workspace.layers.blob(
                layer,
                form.kept,
                force=force,
                absent=absent and not output.force_compression,
                progress=progress,
            )

        in_parallel(_PARALLEL, layers, keep)
        if form.is_variant:
            inherited = self._inherited(blobs)
            changed = [layer for layer in layers if layer not in inherited or output.force_compression]

            def make(layer: LayerID) -> None:
                # What a base image holds is as old as it is.
                wanted = replace(form, latest=None) if layer in inherited else form
                blobs[layer] = self._variant(layer, blobs[layer], wanted)

            in_parallel(_PARALLEL, changed, make)
        return blobs

    def _variant(self, layer: LayerID, kept: LayerBlob, form: Form) -> LayerBlob:
        if form.is_variant:
            return variant(kept, form, self._workspace.lease.content)
        return self._workspace.layers.blob(layer, form.kept, force=True)

    def layers(self, blobs: Mapping[LayerID, LayerBlob]) -> tuple[tuple[Layer, ...], ...]:
        """The layers of each target, lowest first, of `blobs`."""
        return tuple(tuple(_layer(blobs[layer]) for layer in stack) for stack in self._stacks)

    def assemble(
        self, output: ExportOptions, layers: Sequence[tuple[Layer, ...]], *, multi_platform: bool
    ) -> Assembled:
        """The image of all targets, which have `layers`."""
        images = [
            PlatformImage(platform=target.platform, config=self._config(n, stack, output), layers=stack)
            for n, (target, stack) in enumerate(zip(self._targets, layers, strict=True))
        ]
        return assemble(
            images,
            annotations=output.annotations,
            epoch=output.epoch,
            multi_platform=multi_platform,
            docker_types=output.docker_types,
        )

    def _config(self, target: int, layers: tuple[Layer, ...], output: ExportOptions) -> ImageConfig:
        """The config of the target: without the cache that its base image may carry, with one of its own."""
        config = self._targets[target].config
        extra = {name: member for name, member in config.extra.items() if name != INLINE}
        if self._inline is not None:
            payload = self._inline.payload(target, layers, epoch=output.epoch)
            if payload is not None:
                extra[INLINE] = msgspec.Raw(payload)
        return replace(config, extra=extra)

    def _inherited(self, blobs: Mapping[LayerID, LayerBlob]) -> frozenset[LayerID]:
        """The layers that the targets have from their base images: those that the config began with."""
        inherited: set[LayerID] = set()
        for target, stack in zip(self._targets, self._stacks, strict=True):
            for layer, diff_id in zip(stack, target.config.diff_ids, strict=False):
                if blobs[layer].diff_id != diff_id:
                    break
                inherited.add(layer)
        return frozenset(inherited)


def _layer(blob: LayerBlob) -> Layer:
    return Layer(descriptor=blob.descriptor, diff_id=blob.diff_id, created=format_time(blob.created_ns))
