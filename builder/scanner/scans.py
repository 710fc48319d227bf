"""Scans: a scanner run on stacks of layers, once for each distinct content, on the whole state root.

A result is kept as the results of steps are: a layer that holds the documents, named by a cache record. So it is
found by every platform, stage and build whose layers are the same, shows in what the cache holds, and is
collected with the rest of it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from builder.oci.digest import Digest
from builder.scanner.bundle import make_bundle, open_bundle
from builder.scanner.errors import ScanFailed
from builder.scanner.scanner import DESTINATION, EXTRAS, SOURCE, TEMPORARY, prepared, scan_key
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from builder.cache.records import CacheRecords
    from builder.executor import Executor, Step
    from builder.executor.mounts import StepMount
    from builder.progress.stream import Stream
    from builder.scanner.bundle import ScannedDocument
    from builder.scanner.scanner import Scanned, Scanner
    from builder.scanner.template import Locate
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.system.locks import KeyLocks

DEFAULT_SECONDS: Final = 600
"""How long a scan may take when nobody says otherwise."""


class Scans:
    """Runs scanners and remembers what they found. Safe to call from many threads."""

    def __init__(
        self,
        layers: Layers,
        records: CacheRecords,
        open_executor: Callable[[], Executor],
        *,
        locks: KeyLocks,
        stream: Stream,
        cancelled: threading.Event,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        self._layers = layers
        self._records = records
        self._open_executor = open_executor
        self._locks = locks
        self._stream = stream
        self._cancelled = cancelled
        self._seconds = seconds
        self._found: dict[Digest, LayerID] = {}

    def scan(
        self, scanner: Scanner, scanned: Sequence[Scanned], *, label: str
    ) -> tuple[ScannedDocument, ...]:
        """What `scanner` says of `scanned`, the first of which is what the others are extras of.

        `label` is what progress calls it. Raises: ScanFailed, DockyardError, Cancelled.
        """
        named = [(each.name, [self._identity(layer) for layer in each.layers]) for each in scanned]
        key = scan_key(scanner, named)
        vertex = Digest.of(f"{label} {key}".encode())
        # Asked again in one build, it is neither run nor said again.
        if vertex not in self._found:
            self._found[vertex] = self._made(scanner, scanned, key, vertex, label)
        return open_bundle(self._layers.tree_path(self._found[vertex]))

    def _made(
        self, scanner: Scanner, scanned: Sequence[Scanned], key: Digest, vertex: Digest, label: str
    ) -> LayerID:
        found = self._recorded(key)
        if found is None:
            with self._locks.hold(f"step {key}", cancelled=self._cancelled):
                found = self._recorded(key)
                if found is None:
                    with self._stream.vertex(vertex, label):
                        layer = self._run(scanner, scanned, vertex)
                        self._records.save(
                            key,
                            (layer,),
                            description=f"generating sbom using {scanner.name}",
                            kind="internal",
                        )
                    return layer
        self._records.touch([key])
        self._stream.cached(vertex, label)
        return found

    def _identity(self, layer: LayerID) -> str:
        """By content, where that has been computed: an exported layer is the same in every build."""
        return str(self._layers.diff_id(layer) or f"layer {layer}")

    def _recorded(self, key: Digest) -> LayerID | None:
        found = self._records.find(key)
        if found is None:
            return None
        self._layers.keep(found)
        return found[0] if self._layers.usable(found) else None

    def _run(self, scanner: Scanner, scanned: Sequence[Scanned], vertex: Digest) -> LayerID:
        # Loaded here because a scan that is remembered starts no container.
        from builder.executor import Step
        from builder.executor.mounts import KeptMount, MemoryMount

        with self._layers.scratch() as scratch:
            upper, work, output = scratch / "upper", scratch / "work", scratch / "output"
            for path in (upper, work, output):
                path.mkdir()
            step = Step(
                operation=prepared(scanner, has_extras=len(scanned) > 1),
                lower=self._trees(scanner.layers),
                upper=upper,
                work=work,
                mounts=(
                    *scanner.programs,
                    *self._sources(scanned),
                    MemoryMount(TEMPORARY, size=scanner.memory),
                    KeptMount(DESTINATION, output),
                ),
            )
            self._execute(scanner, step, vertex)
            return self._kept(scanner, scanned[0], output, scratch / "bundle")

    def _execute(self, scanner: Scanner, step: Step, vertex: Digest) -> None:
        deadline = _Deadline(self._cancelled, self._seconds)
        try:
            code = self._open_executor().run(
                step,
                on_output=lambda source, output: self._stream.log(vertex, 1 if source == 1 else 2, output),
                cancelled=deadline,
            )
        except Cancelled as error:
            if self._cancelled.is_set() or not deadline.is_over:
                raise
            raise ScanFailed(
                f"generating sbom using {scanner.name} took longer than {self._seconds:g} seconds",
                hint="give it more time: --sbom=timeout=SECONDS",
            ) from error
        if code != 0:
            command = " ".join(step.operation.args)
            raise ScanFailed(
                f"generating sbom using {scanner.name} failed: "
                f'process "{command}" did not complete successfully: exit code: {code}'
            )

    def _kept(self, scanner: Scanner, first: Scanned, output: Path, bundle: Path) -> LayerID:
        make_bundle(output, bundle, scanner, locate=self._locator(first.layers))
        return self._layers.adopt(bundle)

    def _sources(self, scanned: Sequence[Scanned]) -> list[StepMount]:
        from builder.executor.mounts import FilesMount

        first, *extras = scanned
        places = [(SOURCE, first), *((f"{EXTRAS}/{each.name}", each) for each in extras)]
        return [FilesMount(target, self._trees(each.layers)) for target, each in places]

    def _trees(self, layers: Sequence[LayerID]) -> tuple[str, ...]:
        return tuple(reversed(self._layers.trees(layers)))

    def _locator(self, stack: Sequence[LayerID]) -> Locate:
        """Finds layers from the top; what a whiteout removed is that of the layer which had it."""
        views = list(enumerate(self._layers.layer_views(stack)))[::-1]

        def locate(path: str) -> int | None:
            for position, view in views:
                node = view.get(path)
                if node is not None and node.entry.kind != "whiteout":
                    return position
            return None

        return locate


class _Deadline:
    """Somebody's wish to stop, or the end of the time that a scan has."""

    def __init__(self, cancelled: threading.Event, seconds: float) -> None:
        self._cancelled = cancelled
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def is_set(self) -> bool:
        return self._cancelled.is_set() or self.is_over
