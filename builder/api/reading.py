"""From options to a graph: the Dockerfile, what its names stand for, and what checks say of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.api.inputs import Inputs
from builder.oci.digest import Digest
from builder.platforms import host_platform
from builder.solver.results import PlatformFailure
from builder.source.images import Images
from builder.source.texts import BuildText, read_dockerfile, read_dockerfile_of, read_ignore_text
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager, ExitStack

    from builder.api.maincontext import MainContext
    from builder.api.options import BuildOptions
    from builder.api.workspace import Workspace
    from builder.graph import Target
    from builder.platforms import Platform
    from builder.progress.stream import Stream
    from builder.registry.registries import Registries
    from builder.source.origins import Origins
    from frontend import CheckWarning, Options


def open_inputs(
    options: BuildOptions,
    workspace: Workspace,
    stream: Stream,
    stack: ExitStack,
    *,
    several: bool,
    registries: Callable[[], Registries],
    origins: Origins | None = None,
) -> Inputs:
    """The contexts and images of a build; `stack` closes them, `origins` learn where layers are.

    Raises: InvalidContext, Unsupported.
    """
    images = Images(
        workspace.images,
        workspace.lease,
        workspace.layers,
        scratch=workspace.paths.work,
        stack=stack,
        registries=registries,
        origins=origins,
        refresh=options.pull,
    )
    main = Path(options.context) if options.context is not None and Path(options.context).is_dir() else None
    return Inputs(images, stream, stack, main=main, named=options.build_contexts, several=several)


def load_dockerfile(
    options: BuildOptions, platforms: tuple[Platform, ...], main: MainContext, stream: Stream
) -> tuple[BuildText, Options]:
    """The Dockerfile, and how it is to be read. Raises: DockyardError when there is none."""
    # Loaded here because a graph that comes without a Dockerfile needs no parser.
    from frontend import Options, read_ignore_file

    text = _dockerfile(options, main, stream)
    exclude: tuple[str, ...] = ()
    if main.vertex is None:
        # What was fetched or sent as an archive is there as a whole.
        with _internal(stream, "load .dockerignore"):
            ignored = read_ignore_text(main.directory, text.path)
            exclude = read_ignore_file(ignored) if ignored is not None else ()
    chosen = Options(
        filename=text.name,
        target=options.target,
        platforms=platforms if options.platforms else (),
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
        context=main.vertex,
        context_epoch=main.epoch,
    )
    return text, chosen


def warn_to(stream: Stream, text: BuildText) -> Callable[[CheckWarning], None]:
    """What reports findings of checks to `stream`, where the Dockerfile `text` was loaded."""
    loaded = _internal_digest(_loading(text.name))

    def warn(warning: CheckWarning) -> None:
        stream.warning(
            loaded,
            f"{warning.rule}: {warning.message}",
            detail=(warning.description,),
            url=warning.url,
            location=warning.location,
        )

    return warn


def read_targets(
    options: BuildOptions,
    platforms: tuple[Platform, ...],
    main: MainContext,
    inputs: Inputs,
    stream: Stream,
    *,
    on_text: Callable[[BuildText], None],
    keep_going: bool = False,
) -> tuple[tuple[Target, ...], tuple[PlatformFailure, ...]]:
    """The graph that the Dockerfile describes; what checks find goes to `stream`.

    `on_text` gets the Dockerfile before anything is asked for that it names.
    `keep_going`: platforms for which it describes none are left out, with the reason, while others have one.
    Raises: DockyardError.
    """
    from frontend import convert

    text, chosen = load_dockerfile(options, platforms, main, stream)
    on_text(text)
    inputs.make_targets_with(target_maker(text, chosen, inputs))
    try:
        return convert(text.content, chosen, inputs, on_warning=warn_to(stream, text)).targets, ()
    except Cancelled:
        raise
    except DockyardError:
        if not keep_going or len(chosen.platforms) < 2:
            raise
        targets, failures = _convert_apart(text, chosen, inputs)
        if not targets and len({str(each.error) for each in failures}) == 1:
            # What is wrong with the text is wrong for all of them, and is said once.
            raise
        return targets, failures


def _convert_apart(
    text: BuildText, chosen: Options, inputs: Inputs
) -> tuple[tuple[Target, ...], tuple[PlatformFailure, ...]]:
    """Each platform as in a build of its own: vertices that they share are equal all the same."""
    from frontend import convert

    targets: list[Target] = []
    failures: list[PlatformFailure] = []
    for platform in chosen.platforms:
        own = msgspec.structs.replace(chosen, platforms=(platform,))
        try:
            targets += convert(text.content, own, inputs).targets
        except Cancelled:
            raise
        except DockyardError as error:
            failures.append(PlatformFailure(platform, error))
    return tuple(targets), tuple(failures)


def target_maker(text: BuildText, chosen: Options, inputs: Inputs) -> Callable[[str, Platform], Target]:
    """What makes a stage of the Dockerfile for a platform, as if it were the target of a build of its own."""

    def make(stage: str, platform: Platform) -> Target:
        from frontend import convert

        own = msgspec.structs.replace(chosen, target=stage, platforms=(platform,), labels={})
        return convert(text.content, own, inputs).targets[0]

    return make


def _dockerfile(options: BuildOptions, main: MainContext, stream: Stream) -> BuildText:
    name = Path(options.dockerfile).name if options.dockerfile is not None else "Dockerfile"
    with _internal(stream, _loading(name)):
        if options.dockerfile_text is not None:
            return BuildText("Dockerfile", options.dockerfile_text)
        if main.dockerfile is not None:
            return main.dockerfile
        if main.files is not None:
            return read_dockerfile_of(main.files, options.dockerfile)
        named = Path(options.dockerfile) if options.dockerfile is not None else None
        return read_dockerfile(main.directory, named)


def _loading(name: str) -> str:
    return f"load build definition from {name}"


def _internal(stream: Stream, what: str) -> AbstractContextManager[None]:
    return stream.vertex(_internal_digest(what), f"[internal] {what}")


def _internal_digest(what: str) -> Digest:
    return Digest.of(f"[internal] {what}".encode())
