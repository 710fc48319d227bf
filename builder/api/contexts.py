"""Opening the main context of a build: nearly always a directory, which is read in place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from builder.api.maincontext import MainContext

if TYPE_CHECKING:
    from builder.api.inputs import Inputs
    from builder.api.options import BuildOptions
    from builder.graph import Git, Http
    from builder.solver.solve import Tools


def open_context(options: BuildOptions, inputs: Inputs, tools: Tools, scratch: Path) -> MainContext:
    """The main context of `options`; what must be kept for it is kept below `scratch`.

    Raises: ContextNotFound, DockyardError when it cannot be fetched or unpacked, Cancelled.
    """

    def modified(source: Git | Http) -> int | None:
        from builder.api.loadedcontexts import modified

        return modified(source, tools)

    inputs.find_times_with(modified)
    main = _open_context(options, inputs, tools, scratch)
    if options.dockerfile is None or not options.dockerfile.startswith(("http://", "https://")):
        return main
    from builder.api.loadedcontexts import load_dockerfile

    return replace(main, dockerfile=load_dockerfile(options.dockerfile, tools))


def _open_context(options: BuildOptions, inputs: Inputs, tools: Tools, scratch: Path) -> MainContext:
    if options.context_stream is None:
        if options.context is None:
            return MainContext()
        if (path := Path(options.context)).is_dir():
            return MainContext(directory=path)
    from builder.api.loadedcontexts import load_context

    return load_context(options, inputs, tools, scratch)
