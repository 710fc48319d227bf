"""`build()`: where the rooms are wired together, in the order of the way of the data."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from builder.api.attesting import admitted, attestation_sources, makes_index, worthwhile
from builder.api.built import Built
from builder.api.cacheimports import CacheLost, imported
from builder.api.contexts import open_context
from builder.api.destinations import open_destinations, open_registries
from builder.api.exporting import Export
from builder.api.failing import keeps_going, require_deliverable
from builder.api.granting import require_grants
from builder.api.outputs import chosen_outputs, forces_index, layer_format, routed
from builder.api.reading import open_inputs, read_targets
from builder.api.remembering import Memory
from builder.api.solving import expect_commands, open_tools
from builder.api.upkeep import limited
from builder.api.witness import Witness
from builder.api.workspace import open_workspace
from builder.cache.remote.places import InlineCache
from builder.platforms import host_platform, parse_platforms
from builder.progress.stream import Stream, discard
from builder.solver.solve import solve
from builder.source.origins import Origins
from builder.store.admission import require_cache_export
from builder.store.selection import open_daemon, open_store, require_multi_platform
from builder.system.places import default_root
from exporter.outputs import ExportOptions, FilesOutput, require_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.api.cacheexports import InlineExporter
    from builder.api.inputs import Inputs
    from builder.api.options import BuildOptions, BuildResult
    from builder.api.provenance import Account
    from builder.api.sboms import Sboms
    from builder.api.signing import ImageSigner
    from builder.api.workspace import Workspace
    from builder.graph import Target
    from builder.platforms import Platform
    from builder.progress.events import EventSink
    from builder.solver.results import PlatformFailure
    from builder.solver.solve import Solution, Tools
    from exporter.outputs import Output


def build(
    options: BuildOptions, *, on_event: EventSink | None = None, cancel: threading.Event | None = None
) -> BuildResult:
    """Builds what `options` describe and delivers it to the outputs that they name.

    `on_event` gets every event, one at a time, from any thread. Setting `cancel` ends the build.
    Raises: DockyardError and its kinds, PlatformsFailed when some platforms failed alone; Cancelled. Nothing is
    delivered then under any name.
    """
    started = time.monotonic()
    stream = Stream(on_event or discard)
    digest = None
    try:
        result = _build_without_lost(options, stream, cancel or threading.Event())
        digest = result.digest
    finally:
        stream.finished(digest)
    return msgspec.structs.replace(result, seconds=time.monotonic() - started)


def _build_without_lost(options: BuildOptions, stream: Stream, cancelled: threading.Event) -> BuildResult:
    """The build; when a cache did not deliver what it promised, again without it: what was done is known."""
    while True:
        try:
            return _build(options, stream, cancelled)
        except CacheLost as error:
            if options.context_stream is not None:
                # It was read, and is gone.
                raise error.reason from None
            left = tuple(place for place in options.cache_from if place not in error.places)
            options = msgspec.structs.replace(options, cache_from=left)
            # A step that fails stops all others by this; nobody else did.
            cancelled.clear()


def _build(options: BuildOptions, stream: Stream, cancelled: threading.Event) -> BuildResult:
    keep_going = keeps_going(options)
    options = routed(options, os.environ)
    platforms = _platforms(options)
    outputs = chosen_outputs(options)
    _require_allowed_context(options)
    with ExitStack() as stack:
        store = stack.enter_context(
            open_store(options.root or default_root(os.environ, uid=os.geteuid()), driver=options.driver)
        )
        require_multi_platform(store.capabilities, platforms)
        if not all(isinstance(each.place, InlineCache) for each in options.cache_to):
            require_cache_export(store.capabilities)
        several = len(platforms) > 1
        indexed = several or forces_index(options)
        options = worthwhile(admitted(options, store.capabilities), outputs, several=indexed)
        witness = Witness(options)
        options = msgspec.structs.replace(options, labels={**witness.labels(), **options.labels})
        require_writable(outputs, stdout_is_terminal=sys.stdout.isatty())
        daemon = open_daemon(store.root, driver=options.driver, address=options.containerd)
        if daemon is not None:
            stack.enter_context(daemon)
        before_writing = _before_writing(witness, limited(store, options.max_disk, stack))
        workspace = stack.enter_context(
            open_workspace(store, cancelled, daemon=daemon, before_writing=before_writing)
        )
        registries = cache(lambda: open_registries(stack, cancelled))
        origins = Origins()
        imports = stack.enter_context(
            imported(
                workspace,
                options.cache_from,
                stream,
                stack,
                registries=registries,
                origins=origins,
                cancelled=cancelled,
            )
        )
        workspace = imports.workspace
        destinations = open_destinations(
            outputs,
            store,
            stream,
            stack,
            registries=registries,
            origins=origins,
            several=several,
            attested=any(makes_index(each, options) for each in outputs),
        )
        inputs = open_inputs(
            options, workspace, stream, stack, several=several, registries=registries, origins=origins
        )
        memory = Memory(store.database, options, platforms)
        tools = open_tools(options, workspace, inputs, stream, stack, cancelled, remember=memory.remember)
        sboms = _open_sboms(options, inputs, workspace, tools)
        wanted, unreadable = _targets(options, platforms, inputs, tools, workspace)
        require_grants(wanted, options.allow)
        _require_allowed(options, wanted, inputs, workspace)
        solution = solve(
            wanted,
            tools,
            layer_format=layer_format(destinations.outputs),
            with_extras=sboms is not None,
            keep_going=keep_going,
        )
        if keep_going and several:
            from builder.api.finishing import finished

            solution = finished(solution, workspace, stream, destinations, sboms)
        targets = solution.targets
        failures = sorted(
            (*unreadable, *solution.failures), key=lambda failure: platforms.index(failure.platform)
        )
        if failures and imports.has_lost():
            # It may be no failure of the platform at all: the build is made again without the cache.
            raise failures[0].error
        require_deliverable(failures, [target.platform for target in targets], options)
        account = _account(options, witness, targets, solution, inputs, outputs)
        sources = (
            *(() if sboms is None else (sboms.source(solution, outputs),)),
            *attestation_sources(options, witness, account, stream),
        )
        export = Export(
            Built(targets, solution, workspace, sources),
            stream,
            destinations,
            signer=_signer(options),
            inline=_inline(options, targets, solution),
        )
        exported = export.deliver(destinations.outputs, multi_platform=indexed)
        if options.cache_to:
            from builder.api.cacheexports import CacheExporter

            caches = CacheExporter(
                solution,
                workspace,
                stream,
                stack,
                registries=registries,
                origins=origins,
                cancelled=cancelled,
            )
            caches.deliver(options.cache_to)
        return msgspec.structs.replace(
            exported,
            cached=solution.cached,
            executed=solution.executed,
            number=memory.number,
            pins=_pins(options, inputs),
            failures=tuple(failures),
            provenance=account.described(options.metadata_provenance)
            if account is not None and options.metadata_provenance is not None
            else {},
        )


def _account(
    options: BuildOptions,
    witness: Witness,
    targets: tuple[Target, ...],
    solution: Solution,
    inputs: Inputs,
    outputs: tuple[Output, ...],
) -> Account | None:
    """How the results came about; None when nobody wants to know."""
    if options.provenance is None and options.metadata_provenance is None:
        return None
    from builder.api.provenance import Account

    epochs = (each.epoch for each in outputs if isinstance(each, ExportOptions | FilesOutput))
    return Account(
        options,
        witness,
        targets,
        solution,
        inputs=inputs,
        epoch=next((epoch for epoch in epochs if epoch is not None), None),
    )


def _platforms(options: BuildOptions) -> tuple[Platform, ...]:
    if options.definition is not None:
        return tuple(target.platform for target in options.definition)
    return parse_platforms(options.platforms) or (host_platform(),)


def _before_writing(witness: Witness, limit: Callable[[], None] | None) -> Callable[[], None]:
    """What is done before each thing that takes room."""

    def begin() -> None:
        witness.expect_news()
        if limit is not None:
            limit()

    return begin


def _require_allowed_context(options: BuildOptions) -> None:
    if options.policies:
        from builder.api.guarding import require_allowed_context

        require_allowed_context(options)


def _require_allowed(
    options: BuildOptions, targets: tuple[Target, ...], inputs: Inputs, workspace: Workspace
) -> None:
    if options.policies:
        from builder.api.guarding import require_allowed

        require_allowed(options, targets, inputs, workspace.store.content)


def _pins(options: BuildOptions, inputs: Inputs) -> dict[str, str]:
    """What names of images stood for; nothing when no policy asks."""
    if not options.policies:
        return {}
    from builder.api.guarding import pins_of

    return pins_of(inputs.meanings)


def _signer(options: BuildOptions) -> ImageSigner | None:
    if options.signing is None:
        return None
    from builder.api.signing import ImageSigner

    return ImageSigner(options.signing)


def _inline(options: BuildOptions, targets: tuple[Target, ...], solution: Solution) -> InlineExporter | None:
    """What puts a cache into the configs of images; None when nobody wants one."""
    if not any(isinstance(each.place, InlineCache) for each in options.cache_to):
        return None
    from builder.api.cacheexports import InlineExporter

    return InlineExporter(targets, solution)


def _open_sboms(options: BuildOptions, inputs: Inputs, workspace: Workspace, tools: Tools) -> Sboms | None:
    if options.sbom is None:
        return None
    from builder.api.sboms import open_sboms

    return open_sboms(
        options.sbom,
        inputs,
        workspace,
        tools.stream,
        open_executor=tools.open_executor,
        cancelled=tools.cancelled,
    )


def _targets(
    options: BuildOptions, platforms: tuple[Platform, ...], inputs: Inputs, tools: Tools, workspace: Workspace
) -> tuple[tuple[Target, ...], tuple[PlatformFailure, ...]]:
    """What is to be built, and the platforms for which that cannot be said."""
    if options.definition is not None:
        return options.definition, ()
    main = open_context(options, inputs, tools, workspace.paths.work)
    return read_targets(
        options,
        platforms,
        main,
        inputs,
        tools.stream,
        on_text=lambda text: expect_commands(options, tools, text),
        keep_going=options.on_error == "continue",
    )
