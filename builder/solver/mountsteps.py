"""Mounts of commands: the content that counts for the key, and what the executor is given to mount.

A directory of the caller is shown itself, beneath an overlay, where the build sees all of it; else what the
build sees is laid out for the step. Nothing here is part of a layer, and what a step needs goes with it.
"""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

from builder.cache.keys import EMPTY
from builder.cache.mounts import MountUse, cache_name, mount_platform
from builder.graph import BindMount, CacheMount, SshMount, TmpfsMount
from builder.oci.digest import Digest
from builder.snapshot.mounted import lay_out, mount_headers, mounted_files
from builder.snapshot.resolve import resolve
from builder.snapshot.selection import headers_digest, select_path
from builder.solver.results import LocalFiles
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from builder.cache.mounts import CacheMounts, Scope
    from builder.executor.mounts import StepMount
    from builder.graph import Exec, Vertex
    from builder.progress.stream import Stream
    from builder.snapshot.digests import FileDigests
    from builder.snapshot.entry import FileView
    from builder.snapshot.layers import Layers
    from builder.snapshot.selection import SelectedTree
    from builder.solver.results import Result

    Inputs = Mapping[int, Result]


class MountSteps:
    """Mounts of the commands of one build, with `agents`, sockets by id. Safe to share between threads."""

    def __init__(
        self,
        layers: Layers,
        digests: FileDigests,
        caches: CacheMounts,
        agents: Mapping[str, Path],
        stream: Stream,
        *,
        scope: Scope = "id",
        trusted: bool = True,
    ) -> None:
        """`scope` says which caches platforms share; what is not `trusted` reads caches and changes none."""
        self._layers = layers
        self._digests = digests
        self._caches = caches
        self._agents = agents
        self._stream = stream
        self._scope = scope
        self._trusted = trusted
        self._trees: dict[tuple[Digest, int], SelectedTree] = {}
        self._guard = threading.Lock()

    def content(self, vertex: Vertex, operation: Exec, inputs: Inputs) -> tuple[Digest, list[bytes]]:
        """Digest of all that the mounts of `vertex` show of their inputs, by position, and its parts.

        Raises: DockyardError.
        """
        total = sha256()
        listed: list[bytes] = []
        for number in _with_inputs(operation):
            digest, headers = self._shown(vertex, operation, number, inputs)
            total.update(digest.encode())
            listed += headers
        return Digest("sha256:" + total.hexdigest()), listed

    def open(
        self, vertex: Vertex, operation: Exec, inputs: Inputs, scratch: Path, stack: ExitStack
    ) -> tuple[StepMount, ...]:
        """What the executor is to mount, until `stack` is closed.

        `scratch` is a directory beside the trees that goes with the step. Raises: DockyardError, Cancelled.
        """
        opened: list[StepMount] = []
        for number, mount in enumerate(operation.mounts):
            work = scratch / f"mount-{number}"
            match mount:
                case TmpfsMount():
                    from builder.executor.mounts import MemoryMount

                    opened.append(MemoryMount(mount.target, mount.size, writable=not mount.read_only))
                case BindMount():
                    opened.append(self._files(vertex, number, mount, inputs, work))
                case CacheMount():
                    opened.append(self._cache(vertex, operation, number, inputs, work, stack))
                case SshMount():
                    opened.extend(self._agent(mount, work, stack))
        return tuple(opened)

    def _files(self, vertex: Vertex, number: int, mount: BindMount, inputs: Inputs, work: Path) -> StepMount:
        from builder.executor.mounts import FilesMount

        target, writable = mount.target, mount.writable
        if mount.input is None:
            return FilesMount(target, source=mount.source, writable=writable)
        result = inputs[mount.input]
        if not isinstance(result, LocalFiles):
            trees = self._layers.trees(result.layers)
            return FilesMount(target, tuple(reversed(trees)), source=mount.source, writable=writable)
        path = resolve(result.view, mount.source)
        directory = result.view.directory_as_is(path)
        if directory is not None:
            return FilesMount(target, directory=directory, source=path, writable=writable)
        work.mkdir()
        source = lay_out(self._tree(vertex, number, mount, inputs), work)
        return FilesMount(target, directory=work, source=source, writable=writable)

    def _cache(
        self, vertex: Vertex, operation: Exec, number: int, inputs: Inputs, work: Path, stack: ExitStack
    ) -> StepMount:
        from builder.executor.mounts import FilesMount, KeptMount

        mount = operation.mounts[number]
        assert isinstance(mount, CacheMount)

        def make() -> Path:
            work.mkdir()
            if mount.input is None:
                work.chmod(mount.mode)
                os.chown(work, mount.uid, mount.gid)
            elif lay_out(self._tree(vertex, number, mount, inputs), work):
                raise DockyardError(f'cache mount {mount.target}: "{mount.source}" is not a directory')
            return work

        def report_waiting() -> None:
            self._stream.log(
                vertex.digest, 2, b"waiting for the cache mount " + mount.target.encode() + b"\n"
            )

        has_input = mount.input is not None
        content = self._shown(vertex, operation, number, inputs)[0] if has_input else None
        platform = mount_platform(mount, operation.platform, self._scope)
        use = MountUse(
            name=cache_name(mount, content, platform),
            platform=platform,
            description=f'cached mount {mount.target} from exec {" ".join(operation.args)} with id "{mount.id}"',
        )
        source = "" if has_input else mount.source
        if self._trusted:
            directory = stack.enter_context(self._caches.use(mount, use, make, on_wait=report_waiting))
            return KeptMount(mount.target, directory, source, writable=not mount.read_only)
        # What it writes goes to an overlay, and with it.
        directory = stack.enter_context(self._caches.look(mount, use, make, on_wait=report_waiting))
        return FilesMount(
            mount.target, directory=directory, source=source.strip("/"), writable=not mount.read_only
        )

    def _agent(self, mount: SshMount, work: Path, stack: ExitStack) -> Sequence[StepMount]:
        from builder.executor.mounts import KeptMount
        from builder.executor.relay import NAME, agent_socket

        socket = self._agents.get(mount.id)
        if socket is not None:
            work.mkdir(mode=0o700)
            relay = agent_socket(socket, work, mode=mount.mode, uid=mount.uid, gid=mount.gid)
            stack.enter_context(relay)
            return (KeptMount(mount.target, work, NAME, writable=False),)
        if mount.required:
            raise DockyardError(
                f"unset ssh forward key {mount.id}",
                hint=f"give an agent to the build: --ssh {mount.id}",
            )
        return ()

    def _shown(
        self, vertex: Vertex, operation: Exec, number: int, inputs: Inputs
    ) -> tuple[Digest, list[bytes]]:
        mount = operation.mounts[number]
        assert isinstance(mount, BindMount | CacheMount)
        if mount.input is None:
            return EMPTY, []
        tree = self._tree(vertex, number, mount, inputs)
        self._digests.learn(mounted_files(tree))
        headers = list(mount_headers(tree, self._digests.of))
        return headers_digest(headers), headers

    def _tree(
        self, vertex: Vertex, number: int, mount: BindMount | CacheMount, inputs: Inputs
    ) -> SelectedTree:
        """What a mount shows, looked at once for each command."""
        assert mount.input is not None
        key = (vertex.digest, number)
        with self._guard:
            tree = self._trees.get(key)
        if tree is None:
            tree = select_path(self._view(inputs[mount.input]), mount.source)
            with self._guard:
                tree = self._trees.setdefault(key, tree)
        return tree

    def _view(self, result: Result) -> FileView:
        if isinstance(result, LocalFiles):
            return result.view
        return self._layers.view(result.layers, content=True)


def _with_inputs(operation: Exec) -> list[int]:
    return [
        number for number, mount in enumerate(operation.mounts) if isinstance(mount, BindMount | CacheMount)
    ]
