"""COPY, ADD and WORKDIR: steps that change files without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.graph import Copy, File, MakeDirectory, Merge, Owner, Vertex
from builder.system.quoting import quote
from builder.system.values import Value
from frontend.dockerfile import tree
from frontend.dockerfile.conversion.images import build_context, outside_vertex
from frontend.dockerfile.conversion.inline import inline_files
from frontend.dockerfile.conversion.steps import command_text
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.ownership import InvalidOwnership, has_names, read_mode, read_owner
from frontend.dockerfile.paths import clean, destination, join, pivoted, rooted
from frontend.dockerfile.planning import find_source
from frontend.dockerfile.remote import remote_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.graph import Location
    from frontend.dockerfile.conversion.remotes import RemoteCopy
    from frontend.dockerfile.conversion.stage import StageConversion

_CONTEXT_OWNER = Owner(0, 0)


class _Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A COPY or ADD with its words expanded, as written otherwise."""

    sources: tuple[str, ...]
    destination: str
    chown: str
    chmod: str
    owner: Owner | None
    mode: int | str | None


class _Source(Value, frozen=True):
    """What is copied from, None for an empty file system, and how."""

    vertex: Vertex | None
    patterns: tuple[str, ...]
    owner: Owner | None
    unpack: bool


def convert_copy(stage: StageConversion, node: tree.Copy) -> None:
    """Adds a copy of files as a step. Raises: DockerfileError."""
    transfer = _expand(stage, node)
    kinds = {"git": "a git ref", "url": "a URL"}
    for source in transfer.sources:
        if kind := remote_kind(source):
            raise DockerfileError(f"source can't be {kinds[kind]} for COPY", location=node.location)
    if node.source_stage:
        copied = _Source(_copy_source(stage, node), transfer.sources, transfer.owner, unpack=False)
        _add_transfer(stage, node, transfer, (copied,))
    else:
        _add_local(stage, node, transfer, unpack=False)


def convert_add(stage: StageConversion, node: tree.Add) -> None:
    """Adds a copy of files and archives as a step. Raises: DockerfileError."""
    from frontend.dockerfile.conversion.remotes import convert_remotes

    transfer = _expand(stage, node)
    remotes = convert_remotes(stage, node, transfer.sources)
    _add_local(stage, node, transfer, unpack=node.unpack is not False, remotes=remotes)


def convert_workdir(stage: StageConversion, node: tree.Workdir) -> None:
    """Sets the working directory, and adds a step that makes it. Raises: DockerfileError."""
    state = stage.state
    path = stage.expand(node.path, node.location)
    if not (path.startswith("/") or state.has_directory):
        stage.checks.relative_directory(path, node)
    state.has_directory = True
    # An absolute path stays as typed in config and history; only the directory made is cleaned.
    path = path if path.startswith("/") else join(state.directory, path)
    state.configure(working_dir=path)
    if path != "/":
        make = MakeDirectory(
            path=clean(path),
            owner=_directory_owner(stage, node.location),
            mtime=stage.scene.epoch.seconds if stage.scene.epoch else None,
        )
        below = () if state.vertex is None else (state.vertex,)
        text = command_text(node, state.variables, escape=stage.scene.escape)
        state.vertex = stage.add_step(
            File(base=0 if below else None, actions=(make,)),
            below,
            name=stage.steps.name(text, state.variables),
            location=node.location,
            honours_no_cache=False,
        )
    state.commit(f"WORKDIR {path}", location=node.location, has_layer=path != "/")


def _expand(stage: StageConversion, node: tree.Transfer) -> _Transfer:
    chown = stage.expand(node.chown, node.location)
    chmod = stage.expand(node.chmod, node.location)
    try:
        owner = read_owner(chown) if chown else None
        mode = read_mode(chmod)
    except InvalidOwnership as error:
        raise DockerfileError(str(error), location=node.location) from error
    return _Transfer(
        sources=tuple(stage.expand(source, node.location) for source in node.sources),
        destination=stage.expand(node.destination, node.location),
        chown=chown,
        chmod=chmod,
        owner=owner,
        mode=mode,
    )


def _copy_source(stage: StageConversion, node: tree.Copy) -> Vertex | None:
    """What `--from` names: a stage, a named context, or an image for the target platform."""
    scene, name = stage.scene, node.source_stage
    plan = scene.plan
    index = find_source(node, plan.names, stages=len(plan.stages), escape=scene.escape)
    if index is not None:
        if index not in stage.states:
            own = stage.stage.display_name
            raise DockerfileError(
                f"cannot copy from stage {quote(name)}, it needs to be defined before current stage {quote(own)}",
                location=node.location,
            )
        return stage.states[index].source
    return outside_vertex(scene, name, node.location)


def _add_local(
    stage: StageConversion,
    node: tree.Transfer,
    transfer: _Transfer,
    *,
    unpack: bool,
    remotes: tuple[RemoteCopy, ...] = (),
) -> None:
    """Adds a copy of paths of the context, and then of `remotes`, which stand for the other sources."""
    paths = tuple(source for source in transfer.sources if not remote_kind(source))
    for source in paths:
        stage.checks.context_source(source, node)
    # An archive brings the owners of its members along.
    local = transfer.owner or (None if unpack else _CONTEXT_OWNER)
    sources = [_Source(build_context(stage.scene.options), paths, local, unpack)]
    sources += [
        _Source(each.source, (each.pattern,), transfer.owner or _CONTEXT_OWNER, each.unpack)
        for each in remotes
    ]
    _add_transfer(stage, node, transfer, sources)


def _add_transfer(
    stage: StageConversion, node: tree.Transfer, transfer: _Transfer, sources: Sequence[_Source]
) -> None:
    state = stage.state
    below = state.vertex
    # A mode is known only when the files are there, so that BuildKit then ignores the link; so do we.
    is_linked = node.link and not transfer.chmod
    if has_names(transfer.owner) and (is_linked or below is None):
        raise DockerfileError("invalid user index: -1", location=node.location)
    base = None if is_linked else below
    used = [each for each in sources if each.patterns]
    target = destination(transfer.destination, state.directory)
    inputs = [] if base is None else [base]
    copies = []
    for source in used:
        copies.append(_copy(node, transfer, source, position=len(inputs), target=target))
        inputs += [] if source.vertex is None else [source.vertex]
    made = inline_files(stage, node, destination=target, mode=transfer.mode, owner=transfer.owner)
    text = command_text(node, state.variables, escape=stage.scene.escape)
    state.vertex = stage.add_step(
        File(base=None if base is None else 0, actions=(*copies, *made)),
        inputs,
        name=stage.steps.name(text, state.variables),
        location=node.location,
    )
    if is_linked and below is not None:
        state.vertex = stage.add_step(
            Merge(),
            (below, state.vertex),
            name=stage.steps.again(f"LINK {text}", state.variables),
            location=node.location,
            honours_no_cache=False,
        )
    state.commit(_created_by(node, transfer), location=node.location, has_layer=True)


def _copy(node: tree.Transfer, transfer: _Transfer, source: _Source, *, position: int, target: str) -> Copy:
    parents = isinstance(node, tree.Copy) and node.parents
    return Copy(
        input=None if source.vertex is None else position,
        sources=tuple(pivoted(each) if parents else rooted(each) for each in source.patterns),
        destination=target,
        mode=transfer.mode,
        owner=source.owner,
        unpack=source.unpack,
        parents=parents,
        exclude=node.exclude,
    )


def _created_by(node: tree.Transfer, transfer: _Transfer) -> str:
    words = [node.keyword.upper()]
    if isinstance(node, tree.Copy) and node.parents:
        words.append("--parents")
    if transfer.chown:
        words.append(f"--chown={transfer.chown}")
    if transfer.chmod:
        words.append(f"--chmod={transfer.chmod}")
    inline = (f"<<{each.name}" for each in node.heredocs)
    return " ".join((*words, *transfer.sources, *inline, transfer.destination, "# buildkit"))


def _directory_owner(stage: StageConversion, location: Location) -> Owner | None:
    """The owner of directories that WORKDIR makes: the user that RUN would have."""
    user = stage.state.config.user
    if user in ("", "0", "root"):
        return None
    try:
        owner = read_owner(user)
    except InvalidOwnership as error:
        raise DockerfileError(str(error), location=location) from error
    if has_names(owner) and stage.state.vertex is None:
        raise DockerfileError("invalid user index: -1", location=location)
    return owner
