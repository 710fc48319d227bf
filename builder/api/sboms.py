"""SBOMs of a build: which scanner, what it scans, and the attestations that come of it.

The scanner is found before anything is built. Scans begin when the first output asks, all platforms side by side,
because then the layers have diff IDs, by which a scan is remembered.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from builder import __version__
from builder.graph import Exec, Image, Location, SourceFile
from builder.oci.reference import parse_reference
from builder.platforms import host_platform
from builder.scanner.bundle import SPDX
from builder.scanner.scanner import CORE, Scanned, extra_name, image_scanner
from builder.scanner.scans import DEFAULT_SECONDS, Scans
from builder.scanner.syft import find_syft, syft
from builder.scanner.template import Filling
from builder.solver.workers import in_parallel
from builder.system.errors import Cancelled, DockyardError, UsageError
from exporter.attest.statement import Attestation, Subject
from exporter.outputs import CacheOnlyOutput
from exporter.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from builder.api.inputs import Inputs
    from builder.api.workspace import Workspace
    from builder.executor import Executor
    from builder.progress.stream import Stream
    from builder.scanner.bundle import ScannedDocument
    from builder.scanner.scanner import Scanner
    from builder.snapshot.layerdb import LayerID
    from builder.solver.solve import Solution
    from exporter.assemble import Layer
    from exporter.attest.options import SbomOptions
    from exporter.attest.source import AttestationSource
    from exporter.outputs import Output

_PARALLEL: Final = 2
"""Scans at once: each of them is busy on a core, and takes some 200 MB."""

_BILLION: Final = 1_000_000_000
_SECONDS: Final = "timeout"
_COMMAND_LINE: Final = Location(SourceFile("--sbom", ""), 1, 1)


class _Job(NamedTuple):
    """One run of a scanner; of equal ones, only the first has work to do."""

    target: int
    scanner: Scanner
    scanned: tuple[Scanned, ...]
    label: str


class Sboms:
    """Scans for one build. `choose` it before the build, ask `source` after."""

    def __init__(self, choose: Callable[[str], Scanner], scans: Scans, folder: Path) -> None:
        """`folder`: where documents lie while they are exported."""
        self._folder = folder
        self._choose = choose
        self._scans = scans

    def source(self, solution: Solution, outputs: Sequence[Output]) -> AttestationSource:
        """Attests what is in the results of `solution`, which was made with extras.

        The epoch of `outputs` counts for the documents, too.
        """
        epochs = (each.epoch for each in outputs if not isinstance(each, CacheOnlyOutput))
        epoch = next((each for each in epochs if each is not None), None)
        created = None if epoch is None else format_time(epoch * _BILLION)
        return _Source(self._jobs(solution), self._scans, self._folder, created=created)

    def scan(self, solution: Solution) -> None:
        """Scans the results of `solution` now; what is found, is remembered. Raises: DockyardError, Cancelled."""
        for job in self._jobs(solution):
            self._scans.scan(job.scanner, job.scanned, label=job.label)

    def _jobs(self, solution: Solution) -> list[_Job]:
        return [
            job
            for position, target in enumerate(solution.targets)
            for job in self._jobs_of(
                position, str(target.platform), solution.stacks[position], solution.extras[position]
            )
        ]

    def _jobs_of(
        self,
        target: int,
        platform: str,
        stack: tuple[LayerID, ...],
        extras: Mapping[str, tuple[LayerID, ...]],
    ) -> list[_Job]:
        everything = [Scanned(name=CORE, layers=stack)]
        everything += [Scanned(name=extra_name(name), layers=each) for name, each in extras.items()]
        scanner = self._choose(CORE)
        if scanner.takes_extras:
            label = f"[{platform}] generating {CORE} using {scanner.name}"
            return [_Job(target, scanner, tuple(everything), label)]
        return [
            _Job(target, scanner, (each,), f"[{platform}] generating {each.name} using {scanner.name}")
            for each in everything
            for scanner in (self._choose(each.name),)
        ]


def open_sboms(
    options: SbomOptions,
    inputs: Inputs,
    workspace: Workspace,
    stream: Stream,
    *,
    open_executor: Callable[[], Executor],
    cancelled: threading.Event,
) -> Sboms:
    """Finds the scanner that `options` ask for. Raises: DockyardError, UsageError."""
    parameters = dict(options.parameters)
    seconds = _seconds(parameters.pop(_SECONDS, None))
    if options.generator is None:
        program = find_syft()

        def choose(name: str) -> Scanner:
            return syft(program, parameters, name=name)

        choose(CORE)
    else:
        scanner = _find_image(options.generator, parameters, inputs)

        def choose(name: str) -> Scanner:  # noqa: ARG001 - one scans all
            return scanner

    scans = Scans(
        workspace.layers,
        workspace.records,
        open_executor,
        locks=workspace.locks,
        stream=stream,
        cancelled=cancelled,
        seconds=seconds,
    )
    return Sboms(choose, scans, workspace.paths.work)


def _seconds(value: str | None) -> float:
    if value is None:
        return DEFAULT_SECONDS
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"invalid timeout {value!r} of the SBOM scanner: it is a number of seconds")
    return seconds


def _find_image(name: str, parameters: Mapping[str, str], inputs: Inputs) -> Scanner:
    """The scanner image for this machine, whatever the platforms of the build."""
    full = str(parse_reference(name))
    try:
        found = inputs.image(full, host_platform(), location=_COMMAND_LINE)
    except Cancelled:
        raise
    except DockyardError as error:
        raise DockyardError(f"scanner {full}: {error.message}", hint=error.hint) from error
    config = found.config.config
    args = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not args:
        raise DockyardError(f"scanner {full} does not have cmd")
    image = Image(
        reference=str(found.reference.with_digest(found.digest)),
        digest=found.digest,
        diff_ids=found.config.diff_ids,
        platform=found.platform,
    )
    operation = Exec(
        base=None,
        args=args,
        env=tuple((key, value) for key, _, value in (each.partition("=") for each in config.env or ())),
        cwd=config.working_dir or "/",
        platform=found.platform,
    )
    return image_scanner(full, found.digest, operation, inputs.layers(image), parameters.items())


class _Source:
    """The `AttestationSource` of one build."""

    def __init__(self, jobs: Sequence[_Job], scans: Scans, folder: Path, *, created: str | None) -> None:
        self._folder = folder
        self._jobs = jobs
        self._scans = scans
        self._created = created
        self._documents: dict[int, list[ScannedDocument]] | None = None
        self._guard = threading.Lock()

    def attestations(self, target: int, layers: Sequence[Layer] | None) -> Sequence[Attestation]:
        """The SBOM of the result first, then those of what was scanned besides, by their names."""
        with self._guard:
            if self._documents is None:
                self._documents = self._scan()
        found = sorted(self._documents.get(target, ()), key=lambda each: (not _is_core(each), each.filename))
        return [self._attestation(each, layers) for each in found]

    def _scan(self) -> dict[int, list[ScannedDocument]]:
        found: dict[_Job, tuple[ScannedDocument, ...]] = {}

        def scan(job: _Job) -> None:
            found[job] = self._scans.scan(job.scanner, job.scanned, label=job.label)

        in_parallel(_PARALLEL, self._jobs, scan)
        documents: dict[int, list[ScannedDocument]] = {}
        for job in self._jobs:
            documents.setdefault(job.target, []).extend(found[job])
        return documents

    def _attestation(self, document: ScannedDocument, layers: Sequence[Layer] | None) -> Attestation:
        filling = Filling(
            layers=None if layers is None else tuple(str(each.descriptor.digest) for each in layers),
            creator=None if layers is None else f"Tool: dockyard-{__version__}",
            created=self._created,
        )
        subjects = tuple(Subject(each.name, each.digest) for each in document.subjects)
        return Attestation(
            predicate_type=SPDX,
            predicate=msgspec.Raw(document.render(filling, self._folder)),
            subjects=subjects or None,
            filename=document.filename,
        )


def _is_core(document: ScannedDocument) -> bool:
    return document.filename.partition(".")[0] == CORE
