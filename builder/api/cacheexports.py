"""The caches that a build leaves: made after its outputs, because most of a cache are blobs that those have made.

A cache that cannot be made fails the build, unless it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from builder.cache.remote.config import BUILDKIT_MAX_CONFIG
from builder.cache.remote.places import GithubCache, InlineCache, LocalCache, RegistryCache, S3Cache
from builder.cache.remote.stacks import CachedLayer, CachedStep
from builder.graph import walk
from builder.oci.digest import Digest
from builder.solver.workers import in_parallel
from builder.system.errors import Cancelled, DockyardError
from exporter.forms import Form, variant
from exporter.times import clamped, format_time

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import ExitStack

    from builder.api.workspace import Workspace
    from builder.cache.remote.objects import Objects
    from builder.cache.remote.places import CacheExport
    from builder.cache.remote.targets import CacheTarget
    from builder.graph import Target
    from builder.progress.stream import Stream
    from builder.registry.registries import Registries
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import LayerBlob
    from builder.solver.solve import Solution
    from builder.solver.solved import SolvedStep
    from builder.source.origins import Origins
    from exporter.assemble import Layer

_PARALLEL: Final = 2
"""Layers that are compressed at once; each of them uses several threads itself."""


class CacheExporter:
    """Makes the caches of one build. `Raises` of its methods: DockyardError, Cancelled, OSError."""

    def __init__(
        self,
        solution: Solution,
        workspace: Workspace,
        stream: Stream,
        stack: ExitStack,
        *,
        registries: Callable[[], Registries],
        origins: Origins,
        cancelled: threading.Event,
    ) -> None:
        """`origins` have the layers that are not on this machine; `stack` closes what is opened."""
        self._stack = stack
        self._cancelled = cancelled
        self._solution = solution
        self._workspace = workspace
        self._stream = stream
        self._registries = registries
        self._origins = origins

    def deliver(self, exports: Iterable[CacheExport]) -> None:
        """Makes each cache, one after the other; what is in the image itself was made with it."""
        for export in exports:
            if (target := self._target(export)) is None:
                continue
            vertex = Digest.of(f"{target.title} {export.place!r}".encode())
            try:
                with self._stream.vertex(vertex, target.title):
                    self._write(export, target, vertex)
            except Cancelled:
                raise
            except (DockyardError, OSError) as error:
                if not export.ignore_error:
                    raise
                self._stream.warning(vertex, f"the cache was not exported: {error}")

    def _write(self, export: CacheExport, target: CacheTarget, vertex: Digest) -> None:
        def report(part: str, /, *, current: int = 0, total: int | None = None, done: bool = False) -> None:
            self._stream.status(vertex, part, current=current, total=total, done=done)

        report("preparing build cache for export")
        steps = self._steps(export, absent=not target.needs_layers)
        report("preparing build cache for export", done=True)
        if any(step.layers for step in steps):
            size = target.write(steps, report)
            if size > BUILDKIT_MAX_CONFIG:
                self._stream.warning(
                    vertex,
                    f"the description of the cache has {size} bytes: dockyard reads it, "
                    f"BuildKit reads no more than {BUILDKIT_MAX_CONFIG}",
                )
        else:
            self._stream.warning(vertex, "skipping cache export for empty result")

    def _steps(self, export: CacheExport, *, absent: bool) -> list[CachedStep]:
        """What the cache will say; blobs that can be fetched are not, where they may be `absent`."""
        solved = list(self._solution.steps().values())
        blobs = self._blobs(export, solved, absent=absent)
        return [
            CachedStep(key=step.key, definition=step.definition, layers=_cached(step.layers, blobs))
            for step in solved
        ]

    def _blobs(
        self, export: CacheExport, steps: Sequence[SolvedStep], *, absent: bool
    ) -> Mapping[LayerID, LayerBlob]:
        """Blobs of all layers that are exported: in mode min those of the result, and what is a blob anyway."""
        layers, content = self._workspace.layers, self._workspace.lease.content
        form = Form(export.compression, export.level)
        result = {layer for stack in self._solution.stacks for layer in stack}
        wanted = dict.fromkeys(layer for step in steps for layer in step.layers or ())
        blobs: dict[LayerID, LayerBlob] = {}

        def make(layer: LayerID) -> None:
            found = layers.found_blob(layer, form.kept)
            if found is None and export.mode == "min" and layer not in result:
                return
            is_old = found is not None
            if found is None or export.force:
                found = layers.blob(layer, form.kept, force=export.force and not form.is_variant)
            elif not absent and not content.has(found.descriptor.digest):
                found = layers.blob(layer, form.kept)
            if form.is_variant and (export.force or not is_old):
                found = variant(found, form, content)
            blobs[layer] = found

        in_parallel(_PARALLEL, wanted, make)
        return blobs

    def _target(self, export: CacheExport) -> CacheTarget | None:
        """Where the cache goes; None: it is in the image."""
        # Loaded here because a build exports to one kind of place, if at all.
        from builder.cache.remote.targets import LayoutTarget

        content = self._workspace.lease.content
        match export.place:
            case InlineCache():
                return None
            case RegistryCache() as place:
                return self._registry(export, place)
            case LocalCache() as place:
                return LayoutTarget(export, place, content)
            case GithubCache() as place:
                from builder.cache.remote.github import GithubObjects

                return self._objects("exporting to GitHub Actions Cache", GithubObjects(place, self._stack))
            case S3Cache() as place:
                from builder.cache.remote.s3 import S3Objects

                return self._objects("exporting cache to Amazon S3", S3Objects(place))
        assert_never(export.place)

    def _registry(self, export: CacheExport, place: RegistryCache) -> CacheTarget:
        from builder.api.pushing import uploads_of
        from builder.cache.remote.targets import RegistryTarget

        return RegistryTarget(
            export,
            place,
            self._registries,
            self._workspace.lease.content,
            far=self._origins,
            lend=lambda blob: self._origins.lenders(blob.digest, place.reference),
            uploads=uploads_of(self._workspace.store.root.path),
        )

    def _objects(self, title: str, objects: Objects) -> CacheTarget:
        from builder.cache.remote.objects import ObjectTarget

        return ObjectTarget(
            title,
            objects,
            self._workspace.lease.content,
            far=self._origins,
            cancelled=self._cancelled,
        )


class InlineExporter:
    """Makes the cache in the configs of images (`exporter` asks for it, one target at a time)."""

    def __init__(self, targets: Sequence[Target], solution: Solution) -> None:
        self._targets = targets
        self._solution = solution

    def payload(self, target: int, image: Sequence[Layer], *, epoch: int | None) -> bytes | None:
        """The member of the config of the `target`-th image, of layers `image`, lowest first; None: it is empty.

        `epoch` in seconds: no time in it is later.
        """
        from builder.cache.remote.config import encode_inline
        from builder.cache.remote.stacks import describe_inline

        root = self._targets[target].vertex
        layers = [
            CachedLayer(
                descriptor=each.descriptor,
                diff_id=each.diff_id,
                created=clamped(each.created, epoch) or "",
            )
            for each in image
        ]
        places = dict(zip(self._solution.stacks[target], layers, strict=True))
        vertices = () if root is None else walk([root])
        solved = [step for each in vertices if (step := self._solution.steps().get(each.digest)) is not None]
        steps = [
            CachedStep(key=step.key, definition=step.definition, layers=_inline(step.layers, places))
            for step in solved
        ]
        if not any(step.layers for step in steps):
            return None
        return encode_inline(describe_inline(steps, layers))


def _inline(
    stack: Sequence[LayerID] | None, places: Mapping[LayerID, CachedLayer]
) -> tuple[CachedLayer, ...] | None:
    found = tuple(places[layer] for layer in stack or () if layer in places)
    return found if found and len(found) == len(stack or ()) else None


def _cached(
    stack: Sequence[LayerID] | None, blobs: Mapping[LayerID, LayerBlob]
) -> tuple[CachedLayer, ...] | None:
    found = [blobs[layer] for layer in stack or () if layer in blobs]
    if not found or len(found) != len(stack or ()):
        return None
    return tuple(
        CachedLayer(descriptor=each.descriptor, diff_id=each.diff_id, created=format_time(each.created_ns))
        for each in found
    )
