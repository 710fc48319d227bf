"""What solving works with, put together from the options and the workspace of a build."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from builder.cache.parts import PartsTable
from builder.solver.remotesteps import RemoteSteps
from builder.solver.solve import Tools, forget

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import ExitStack

    from builder.api.inputs import Inputs
    from builder.api.options import BuildOptions
    from builder.api.workspace import Workspace
    from builder.cache.history import BuiltStep
    from builder.executor import Executor
    from builder.progress.stream import Stream
    from builder.source.texts import BuildText


def open_tools(
    options: BuildOptions,
    workspace: Workspace,
    inputs: Inputs,
    stream: Stream,
    stack: ExitStack,
    cancelled: threading.Event,
    *,
    remember: Callable[[tuple[BuiltStep, ...]], None] = forget,
) -> Tools:
    """The tools of one build; `stack` closes what they open, `remember` is told what became of the steps."""
    remotes = RemoteSteps(
        workspace.layers,
        workspace.records,
        workspace.store.root.path / "downloads",
        secrets=options.secrets,
        agents=options.agents,
        cancelled=cancelled,
    )
    return Tools(
        sources=inputs,
        remotes=remotes,
        layers=workspace.layers,
        records=workspace.records,
        digests=workspace.digests,
        open_executor=cache(lambda: _open_executor(options, workspace, stack)),
        locks=workspace.locks,
        stream=stream,
        cancelled=cancelled,
        secrets=options.secrets,
        agents=options.agents,
        caches=workspace.mounts,
        parts=PartsTable(workspace.store.database),
        remember=remember,
        jobs=options.jobs,
        limits=options.unpack_limits,
        mount_scope=options.mount_scope,
        trusted=options.trusted,
    )


def expect_commands(options: BuildOptions, tools: Tools, text: BuildText) -> None:
    """Begins to start what commands need, when there surely will be some, before bases are even looked up."""
    lines = text.content.upper().splitlines() if options.no_cache else ()
    if any(line.lstrip().startswith(b"RUN ") for line in lines):
        tools.open_executor().prepare()


def _open_executor(options: BuildOptions, workspace: Workspace, stack: ExitStack) -> Executor:
    from builder.executor import Executor

    executor = Executor(trees_dir=workspace.paths.trees, run_dir=workspace.runtime, allow=options.allow)
    return stack.enter_context(executor)
