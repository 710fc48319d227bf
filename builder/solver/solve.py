"""Solving targets: the operators and the scheduler put together for one build."""

from __future__ import annotations

import os
import resource
import time
from functools import cache
from typing import TYPE_CHECKING

from builder.graph import Exec, File, Merge, walk
from builder.snapshot.limits import DEFAULT_LIMITS
from builder.solver.errors import StepFailed
from builder.solver.filesteps import FileSteps
from builder.solver.operators import Operators
from builder.solver.results import Failed, Layered, PlatformFailure
from builder.solver.scheduler import Scheduler
from builder.solver.workers import Workers, job_limit
from builder.system.values import Value

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from builder.cache.history import BuiltStep
    from builder.cache.mounts import CacheMounts, Scope
    from builder.cache.parts import PartsTable
    from builder.cache.records import CacheRecords
    from builder.executor import Executor
    from builder.graph import Git, Http, Target, Vertex
    from builder.oci.digest import Digest
    from builder.progress.stream import Stream
    from builder.snapshot.digests import FileDigests
    from builder.snapshot.layerdb import Format, LayerID
    from builder.snapshot.layers import Layers
    from builder.snapshot.limits import UnpackLimits
    from builder.solver.operators import Sources
    from builder.solver.remotesteps import RemoteSteps
    from builder.solver.results import Outcome
    from builder.solver.runsteps import RunSteps
    from builder.solver.solved import SolvedStep
    from builder.system.locks import KeyLocks


class Solution(Value, frozen=True):
    """What was built: for each of `targets` the stack of its layers, lowest first, and how much was work.

    `targets` are those that were asked for without those of `failures`. `extras` has, for each target, the
    stacks of what was built beside it, by name.
    `remotes`: what files and repositories of the network were found to be, by digest and by commit.
    `steps`: what is known of each step, and of what was fetched, by the digest of the vertex.
    """

    targets: tuple[Target, ...]
    stacks: tuple[tuple[LayerID, ...], ...]
    cached: int
    executed: int
    remotes: Mapping[Http | Git, str]
    extras: tuple[Mapping[str, tuple[LayerID, ...]], ...] = ()
    failures: tuple[PlatformFailure, ...] = ()
    steps: Callable[[], Mapping[Digest, SolvedStep]] = dict


class Tools(Value, frozen=True):
    """What solving works with.

    `open_executor` is called when the first command must run. `agents` are sockets of SSH agents by id,
    `caches` are the cache mounts, which platforms share as `mount_scope` says, and which a build that is not
    `trusted` does not change. `jobs`: how many steps may run at once; None: what the cores allow.
    `remember` is told in the end what became of each step, also when one failed, and `parts` get what their keys
    were made of. The same tools may solve several graphs of one build, one after the other.
    """

    sources: Sources
    remotes: RemoteSteps
    layers: Layers
    records: CacheRecords
    digests: FileDigests
    open_executor: Callable[[], Executor]
    locks: KeyLocks
    stream: Stream
    cancelled: threading.Event
    secrets: Mapping[str, bytes | Callable[[], bytes]]
    agents: Mapping[str, Path]
    caches: CacheMounts
    parts: PartsTable
    remember: Callable[[tuple[BuiltStep, ...]], None]
    jobs: int | None = None
    limits: UnpackLimits = DEFAULT_LIMITS
    mount_scope: Scope = "id"
    trusted: bool = True


def forget(_steps: tuple[BuiltStep, ...]) -> None:
    """Remembers nothing: for graphs that are a part of another build."""


def solve(
    targets: Sequence[Target],
    tools: Tools,
    *,
    layer_format: Format | None,
    with_extras: bool = False,
    keep_going: bool = False,
) -> Solution:
    """Builds all targets together, and `with_extras` what the SBOMs of the targets shall cover besides.

    `layer_format`: that of the blobs which an exporter will ask for; None when nothing is exported as blobs.
    `keep_going`: a step that fails ends only the targets that need it.
    Raises: DockyardError of the first step that failed, unless this keeps going; Cancelled.
    """
    targeted = [target.vertex for target in targets if target.vertex is not None]
    roots = [root for target in targets for root in _roots(target, with_extras=with_extras)]
    files = FileSteps(
        tools.layers,
        tools.digests,
        tools.stream,
        now_ns=time.time_ns(),
        exported=exported_vertices(targeted),
        layer_format=layer_format,
        limits=tools.limits,
    )
    vertices = list(walk(roots))
    operators = Operators(
        tools.sources,
        files,
        lambda: _open_runs(tools),
        tools.remotes,
        layers=tools.layers,
        records=tools.records,
        locks=tools.locks,
        stream=tools.stream,
        cancelled=tools.cancelled,
        before_commands=cache(lambda: before_commands(vertices)),
    )
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    workers = Workers(job_limit(tools.jobs, cores=len(os.sched_getaffinity(0)), files=open_files))
    try:
        scheduler = Scheduler(operators, workers, tools.cancelled, keep_going=keep_going)
        outcomes = scheduler.solve(roots)
        operators.finish(list(walk(each for each in roots if not _is_failed(outcomes[each.digest]))))
    except StepFailed as error:
        operators.trail.failed.add(error.digest)
        _remember(operators, vertices, tools)
        raise
    finally:
        operators.save_records()
        tools.digests.save()
    failures = _failures(targets, outcomes, with_extras=with_extras)
    operators.trail.failed |= {each.error.digest for each in failures if isinstance(each.error, StepFailed)}
    _remember(operators, vertices, tools)
    failed = {each.platform for each in failures}
    solved = tuple(target for target in targets if target.platform not in failed)

    def stack(vertex: Vertex | None) -> tuple[LayerID, ...]:
        result = Layered() if vertex is None else outcomes[vertex.digest]
        return result.layers if isinstance(result, Layered) else ()

    def steps() -> Mapping[Digest, SolvedStep]:
        from builder.solver.solved import solved_steps

        return dict(solved_steps(vertices, scheduler, tools.remotes))

    return Solution(
        targets=solved,
        stacks=tuple(stack(target.vertex) for target in solved),
        cached=len(operators.cached - operators.executed),
        executed=len(operators.executed),
        extras=tuple(
            {extra.name: stack(extra.vertex) for extra in target.extras if with_extras} for target in solved
        ),
        remotes=tools.remotes.found,
        steps=cache(steps),
        failures=failures,
    )


def _open_runs(tools: Tools) -> RunSteps:
    # Loaded here because a build that finds everything in the cache runs no command.
    from builder.solver.mountsteps import MountSteps
    from builder.solver.runsteps import RunSteps

    mounts = MountSteps(
        tools.layers,
        tools.digests,
        tools.caches,
        tools.agents,
        tools.stream,
        scope=tools.mount_scope,
        trusted=tools.trusted,
    )
    return RunSteps(
        tools.layers,
        tools.open_executor,
        tools.stream,
        tools.cancelled,
        secrets=tools.secrets,
        mounts=mounts,
    )


def _roots(target: Target, *, with_extras: bool) -> list[Vertex]:
    extras = [extra.vertex for extra in target.extras if with_extras]
    return [vertex for vertex in (target.vertex, *extras) if vertex is not None]


def _is_failed(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed)


def _failures(
    targets: Sequence[Target], outcomes: Mapping[Digest, Outcome], *, with_extras: bool
) -> tuple[PlatformFailure, ...]:
    """For each target that failed the first of its roots that did."""
    failures = []
    for target in targets:
        made = (outcomes[root.digest] for root in _roots(target, with_extras=with_extras))
        failed = next((each for each in made if isinstance(each, Failed)), None)
        if failed is not None:
            failures.append(PlatformFailure(target.platform, failed.error))
    return tuple(failures)


def _remember(operators: Operators, vertices: Sequence[Vertex], tools: Tools) -> None:
    """Leaves to the next build what it may want to compare itself with."""
    operators.trail.save(tools.parts, executed=operators.executed)
    tools.remember(operators.trail.steps(vertices, executed=operators.executed, cached=operators.cached))


def exported_vertices(roots: Iterable[Vertex]) -> frozenset[Digest]:
    """The vertices whose layers are part of the result, because they stand below it and not beside it."""
    found: set[Digest] = set()
    pending = list(roots)
    while pending:
        vertex = pending.pop()
        if vertex.digest in found:
            continue
        found.add(vertex.digest)
        operation = vertex.operation
        if isinstance(operation, File | Exec) and operation.base is not None:
            pending.append(vertex.inputs[operation.base])
        elif isinstance(operation, Merge):
            pending.extend(vertex.inputs)
    return frozenset(found)


def before_commands(vertices: Sequence[Vertex]) -> frozenset[Digest]:
    """The vertices that commands among `vertices`, which come after their inputs, need the results of."""
    found: set[Digest] = set()
    for vertex in reversed(vertices):
        if isinstance(vertex.operation, Exec) or vertex.digest in found:
            found.update(each.digest for each in vertex.inputs)
    return frozenset(found)
