"""Questions about a Dockerfile, answered instead of a build: `check`, `outline`, `targets`."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from builder.api.contexts import open_context
from builder.api.destinations import open_registries
from builder.api.reading import load_dockerfile, open_inputs, target_maker, warn_to
from builder.api.solving import open_tools
from builder.api.workspace import open_workspace
from builder.platforms import host_platform, parse_platforms
from builder.progress.stream import Stream, discard
from builder.store.selection import open_store
from builder.system.places import default_root

if TYPE_CHECKING:
    from builder.api.options import BuildOptions
    from builder.progress.events import EventSink
    from frontend import Answer

Question: TypeAlias = Literal["check", "outline", "targets"]


def call(
    options: BuildOptions,
    question: Question,
    *,
    on_event: EventSink | None = None,
    cancel: threading.Event | None = None,
) -> Answer:
    """The answer to `question` about the Dockerfile of `options`; nothing is built.

    Raises: DockyardError and its kinds; for `check`, a file that cannot be built is part of the answer.
    """
    from frontend.dockerfile.requests.lint import lint
    from frontend.dockerfile.requests.outline import outline
    from frontend.dockerfile.requests.targets import targets

    stream = Stream(on_event or discard)
    platforms = parse_platforms(options.platforms) or (host_platform(),)
    try:
        with ExitStack() as stack:
            root = options.root or default_root(os.environ, uid=os.geteuid())
            store = stack.enter_context(open_store(root, driver=options.driver))
            cancelled = cancel or threading.Event()
            workspace = stack.enter_context(open_workspace(store, cancelled))
            inputs = open_inputs(
                options,
                workspace,
                stream,
                stack,
                several=len(platforms) > 1,
                registries=cache(lambda: open_registries(stack, cancelled)),
            )
            tools = open_tools(options, workspace, inputs, stream, stack, cancelled)
            main = open_context(options, inputs, tools, workspace.paths.work)
            text, chosen = load_dockerfile(options, platforms, main, stream)
            if question == "targets":
                return targets(text.content, chosen)
            inputs.make_targets_with(target_maker(text, chosen, inputs))
            if question == "check":
                return lint(text.content, chosen, inputs, file=str(text.path or ""))
            return outline(text.content, chosen, inputs, on_warning=warn_to(stream, text))
    finally:
        stream.finished()
