"""`build()`: where the rooms are wired together, in the order of the way of the data."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.api.exporting import Export, chosen_outputs, layer_format
from builder.api.inputs import Inputs
from builder.api.workspace import open_workspace
from builder.oci.digest import Digest
from builder.platforms import host_platform, parse_platforms
from builder.progress.stream import Stream, discard
from builder.solver.solve import Tools, solve
from builder.source.images import Images
from builder.source.texts import BuildText, read_dockerfile, read_ignore_text
from builder.store.selection import open_store, require_multi_platform
from builder.system.places import default_root
from exporter.outputs import require_writable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from builder.api.options import BuildOptions, BuildResult
    from builder.api.workspace import Workspace
    from builder.executor import Executor
    from builder.graph import Target
    from builder.platforms import Platform
    from builder.progress.events import EventSink


def build(
    options: BuildOptions, *, on_event: EventSink | None = None, cancel: threading.Event | None = None
) -> BuildResult:
    """Builds what `options` describe and delivers it to the outputs that they name.

    `on_event` gets every event, one at a time, from any thread. Setting `cancel` ends the build.
    Raises: DockyardError and its kinds; Cancelled. Nothing is delivered then under any name.
    """
    started = time.monotonic()
    stream = Stream(on_event or discard)
    digest = None
    try:
        result = _build(options, stream, cancel or threading.Event())
        digest = result.digest
    finally:
        stream.finished(digest)
    return msgspec.structs.replace(result, seconds=time.monotonic() - started)


def _build(options: BuildOptions, stream: Stream, cancelled: threading.Event) -> BuildResult:
    platforms = _platforms(options)
    outputs = chosen_outputs(options)
    with ExitStack() as stack:
        store = stack.enter_context(
            open_store(options.root or default_root(os.environ, uid=os.geteuid()), driver=options.driver)
        )
        require_multi_platform(store.capabilities, platforms)
        require_writable(outputs, stdout_is_terminal=sys.stdout.isatty())
        workspace = stack.enter_context(open_workspace(store, cancelled))
        inputs = _open_inputs(options, workspace, stream, stack, several=len(platforms) > 1)
        targets = options.definition or _read_dockerfile(options, platforms, inputs, stream)
        tools = Tools(
            sources=inputs,
            layers=workspace.layers,
            records=workspace.records,
            digests=workspace.digests,
            open_executor=lambda: _open_executor(options, workspace, stack),
            locks=workspace.locks,
            stream=stream,
            cancelled=cancelled,
            secrets=options.secrets,
            jobs=options.jobs,
        )
        solution = solve(targets, tools, layer_format=layer_format(outputs))
        export = Export(targets, solution, workspace, stream)
        forced = options.build_args.get("BUILDKIT_MULTI_PLATFORM", "").lower() in ("1", "true")
        exported = export.deliver(outputs, multi_platform=forced)
        return msgspec.structs.replace(exported, cached=solution.cached, executed=solution.executed)


def _platforms(options: BuildOptions) -> tuple[Platform, ...]:
    if options.definition is not None:
        return tuple(target.platform for target in options.definition)
    return parse_platforms(options.platforms) or (host_platform(),)


def _open_inputs(
    options: BuildOptions, workspace: Workspace, stream: Stream, stack: ExitStack, *, several: bool
) -> Inputs:
    images = Images(
        workspace.store, workspace.lease, workspace.layers, scratch=workspace.paths.work, stack=stack
    )
    main = Path(options.context) if options.context is not None else None
    return Inputs(images, stream, stack, main=main, named=options.build_contexts, several=several)


def _open_executor(options: BuildOptions, workspace: Workspace, stack: ExitStack) -> Executor:
    from builder.executor import Executor

    executor = Executor(trees_dir=workspace.paths.trees, run_dir=workspace.runtime, allow=options.allow)
    return stack.enter_context(executor)


def _read_dockerfile(
    options: BuildOptions, platforms: tuple[Platform, ...], inputs: Inputs, stream: Stream
) -> tuple[Target, ...]:
    # Loaded here because a graph that comes without a Dockerfile needs no parser.
    from frontend import Options, convert, read_ignore_file

    text = _dockerfile(options, stream)
    main = Path(options.context) if options.context is not None else None
    with _internal(stream, "load .dockerignore"):
        ignored = read_ignore_text(main, text.path)
        exclude = read_ignore_file(ignored) if ignored is not None else ()
    chosen = Options(
        filename=text.name,
        target=options.target,
        platforms=platforms,
        build_platform=host_platform(),
        build_args=options.build_args,
        labels=options.labels,
        no_cache=options.no_cache or options.no_cache_filter or False,
        network=options.network,
        extra_hosts=options.extra_hosts,
        shm_size=options.shm_size,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
        context_exclude=exclude,
    )
    return convert(text.content, chosen, inputs).targets


def _dockerfile(options: BuildOptions, stream: Stream) -> BuildText:
    name = Path(options.dockerfile).name if options.dockerfile is not None else "Dockerfile"
    with _internal(stream, f"load build definition from {name}"):
        if options.dockerfile_text is not None:
            return BuildText("Dockerfile", options.dockerfile_text)
        main = Path(options.context) if options.context is not None else None
        return read_dockerfile(main, Path(options.dockerfile) if options.dockerfile is not None else None)


def _internal(stream: Stream, what: str) -> AbstractContextManager[None]:
    name = f"[internal] {what}"
    return stream.vertex(Digest.of(name.encode()), name)
