"""Main contexts that are no directories: what must be fetched or unpacked first.

What is not a directory becomes a vertex of the graph like any other, solved before the Dockerfile is read
because the Dockerfile is in it. So it is fetched once, and remembered for the next build by its content: the
commit, the server's ETag, the digest of an archive. An archive is never unpacked into a directory that paths
lead through: its members are laid out as the layer that a context is copied from.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.api.maincontext import ARCHIVE, MainContext
from builder.graph import Copy, Description, File, Git, Http, Local, Target, vertex
from builder.graph.globs import exactly
from builder.oci.config import scratch_config
from builder.platforms import host_platform
from builder.snapshot.archives import begins_archive
from builder.solver.solve import forget, solve
from builder.source.errors import ContextNotFound
from builder.source.texts import BuildText, find_text
from frontend import read_address
from frontend.dockerfile.addresses import CONTEXT_FILE

if TYPE_CHECKING:
    from builder.api.inputs import Inputs
    from builder.api.options import BuildOptions
    from builder.graph import Vertex
    from builder.snapshot.entry import FileView
    from builder.solver.solve import Tools

_LOADING: Final = "[internal] load remote build context"
_HEAD: Final = 1024
_TRUE: Final = frozenset({"1", "t", "true"})


def load_context(options: BuildOptions, inputs: Inputs, tools: Tools, scratch: Path) -> MainContext:
    """The main context of `options`, which name a stream, an archive or an address.

    What must be kept for it is kept below `scratch`.
    Raises: ContextNotFound, DockyardError when it cannot be fetched or unpacked, Cancelled.
    """
    if options.context_stream is not None:
        spool = scratch / "stdin"
        spool.mkdir()
        with (spool / "context").open("xb") as file:
            shutil.copyfileobj(options.context_stream, file, 1 << 20)
        return _archive(spool / "context", inputs, tools)
    assert options.context is not None
    arguments = options.build_args
    address = read_address(
        options.context,
        keep_git_dir=arguments.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "").lower() in _TRUE,
        commit_times=bool(arguments.get("SOURCE_DATE_EPOCH")),
    )
    if isinstance(address, Git):
        return _repository(address, options.context, tools)
    if isinstance(address, Http):
        return _download(address, tools)
    require_context(options.context)
    return _archive(Path(options.context), inputs, tools)


def load_dockerfile(url: str, tools: Tools) -> BuildText:
    """The Dockerfile at `url`. Raises: DockyardError when it cannot be fetched, Cancelled."""
    return _whole_dockerfile(_files(_fetched(Http(url=url, filename=CONTEXT_FILE)), tools))


def require_context(context: str) -> None:
    """Raises: ContextNotFound when `context` is no address, and no directory or archive of this machine."""
    path = Path(context)
    if path.is_dir() or read_address(context) is not None:
        return
    if not path.exists():
        raise ContextNotFound(f'path "{context}" not found')
    if not (path.is_file() and _is_archive_file(path)):
        raise ContextNotFound(f'path "{context}" is not a directory or an archive')


def _is_archive_file(path: Path) -> bool:
    with path.open("rb") as file:
        return begins_archive(file.read(_HEAD))


def _repository(address: Git, text: str, tools: Tools) -> MainContext:
    shown = re.sub(r"(://)[^/@?#]*@", r"\1xxxxx@", text)
    checkout = vertex(address, description=Description(name=f"[internal] load git source {shown}"))
    files = _files(checkout, tools)
    root = files.lstat("")
    is_dated = address.mtime == "commit" and root is not None
    epoch = root.entry.mtime_ns // 10**9 if is_dated and root is not None else None
    return MainContext(vertex=checkout, files=files, epoch=epoch)


def modified(source: Git | Http, tools: Tools) -> int | None:
    """When what `source` fetches was made, in seconds since the epoch."""
    named = Description(name="[internal] resolve SOURCE_DATE_EPOCH")
    if isinstance(source, Git):
        root = _files(vertex(replace(source, mtime="commit"), description=named), tools).lstat("")
        return root.entry.mtime_ns // 10**9 if root is not None else None
    fetched = vertex(source, description=named)
    files = _files(fetched, tools)
    modified = _last_modified(files, source.filename)
    if modified is None and _holds_archive(files, source.filename):
        return _newest(_files(_unpacked(fetched, source.filename), tools))
    return modified


def _download(address: Http, tools: Tools) -> MainContext:
    fetched = _fetched(address)
    files = _files(fetched, tools)
    modified = _last_modified(files, address.filename)
    if _holds_archive(files, address.filename):
        unpacked = _unpacked(fetched, address.filename)
        members = _files(unpacked, tools)
        return MainContext(vertex=unpacked, files=members, epoch=modified or _newest(members))
    return MainContext(vertex=fetched, files=files, dockerfile=_whole_dockerfile(files), epoch=modified)


def _last_modified(files: FileView, name: str) -> int | None:
    """What the server said of the file that was fetched."""
    node = files.lstat(name)
    return node.entry.mtime_ns // 10**9 or None if node is not None else None


def _holds_archive(files: FileView, name: str) -> bool:
    node = files.lstat(name)
    assert node is not None and node.content is not None
    with node.content.open() as body:
        return begins_archive(body.read(_HEAD))


def _fetched(address: Http) -> Vertex:
    return vertex(address, description=Description(name=_LOADING))


def _whole_dockerfile(files: FileView) -> BuildText:
    """The Dockerfile that the file of a URL is."""
    content = find_text(files, CONTEXT_FILE)
    assert content is not None
    return BuildText("Dockerfile", content)


def _archive(path: Path, inputs: Inputs, tools: Tools) -> MainContext:
    inputs.add_directory(ARCHIVE, path.parent)
    unpacked = _unpacked(vertex(Local(name=ARCHIVE), description=Description(name=_LOADING)), path.name)
    files = _files(unpacked, tools)
    return MainContext(vertex=unpacked, files=files, epoch=_newest(files))


def _unpacked(source: Vertex, name: str) -> Vertex:
    unpack = Copy(input=0, sources=(f"/{exactly(name)}",), destination="/", unpack=True)
    description = Description(name="[internal] unpack build context")
    return vertex(File(base=None, actions=(unpack,)), source, description=description)


def _files(made: Vertex, tools: Tools) -> FileView:
    platform = host_platform()
    target = Target(platform=platform, vertex=made, config=scratch_config(platform))
    stack = solve((target,), replace(tools, remember=forget), layer_format=None).stacks[0]
    return tools.layers.view(stack, content=True)


def _newest(files: FileView) -> int | None:
    """The time of the newest regular file, in seconds since the epoch."""
    newest, pending = None, [""]
    while pending:
        for node in files.children(pending.pop()):
            if node.entry.kind == "dir":
                pending.append(node.entry.path)
            elif node.entry.kind == "file":
                newest = max(newest or 0, node.entry.mtime_ns // 10**9)
    return newest
