"""Outputs that are plain files: directories and tar archives of what a build has made."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from exporter.attest.files import Naming, attestation_nodes, with_attestations
from exporter.files import write_files_tar
from exporter.local import write_files
from exporter.outputs import LocalOutput
from exporter.rootfs import RootFiles, result_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.built import Built
    from builder.api.metering import Watch
    from builder.snapshot.entry import Node
    from exporter.outputs import TarOutput

_BILLION: Final = 1_000_000_000


class FileOutputs:
    """Delivers files of one build. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(self, built: Built, watch: Watch) -> None:
        self._built = built
        self._watch = watch

    def prepare(self) -> None:
        """Unpacks what is not there to be read yet."""
        for stack in self._built.solution.stacks:
            self._built.workspace.layers.view(stack, content=True)

    def write(self, output: LocalOutput | TarOutput, *, several: bool) -> None:
        """Makes `output`; `several`: its files may be of more than one platform."""
        split = several if output.platform_split is None else output.platform_split
        views = (
            self._built.workspace.layers.view(stack, content=True) for stack in self._built.solution.stacks
        )
        results = [
            RootFiles(target.platform, view) for target, view in zip(self._built.targets, views, strict=True)
        ]
        nodes = result_nodes(results, split=split, epoch=output.epoch)
        naming = Naming(split=split, several=several, prefix=output.attestation_prefix)
        if statements := self._statements(results, naming, epoch=output.epoch):
            nodes = with_attestations(nodes, statements)
        if isinstance(output, LocalOutput):
            with (
                self._watch.exporting(output, "client directory") as vertex,
                self._watch.part(vertex, "copying files") as sent,
            ):
                write_files(sent.counted(nodes), output.dest, mode=output.mode)
        else:
            with (
                self._watch.exporting(output, "client tarball") as vertex,
                self._watch.part(vertex, "sending tarball") as sent,
            ):
                write_files_tar(sent.counted(nodes), output.dest, stdout=sys.stdout.fileno())

    def _statements(
        self, results: Sequence[RootFiles], naming: Naming, *, epoch: int | None
    ) -> tuple[Node, ...]:
        """The attestations as files; those that are worth none of their own are left out."""
        asked = [
            [
                each
                for source in self._built.sources
                for each in source.attestations(n, None)
                if not each.inline_only
            ]
            for n in range(len(results))
        ]
        mtime_ns = time.time_ns() if epoch is None else epoch * _BILLION
        return attestation_nodes(list(zip(results, asked, strict=True)), naming, mtime_ns=mtime_ns)
