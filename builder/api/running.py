"""Running an image of the store: its layers as a file system, one program in it, nothing kept."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from builder.api.destinations import open_registries
from builder.api.remainder import whole_image
from builder.api.run_plan import plan_run
from builder.api.upkeep import limited
from builder.api.workspace import open_workspace
from builder.executor import Executor
from builder.platforms import host_platform
from builder.source.images import Images
from builder.store.imagegraph import resolve_platform
from builder.system.errors import UsageError
from builder.system.rights import require_root

if TYPE_CHECKING:
    from builder.api.run_plan import RunWishes
    from builder.oci.descriptor import Descriptor
    from builder.store.containerd.store import ContainerdStore
    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import BlobReader


def run_image(
    store: EmbeddedStore,
    image: Descriptor,
    wishes: RunWishes,
    *,
    daemon: ContainerdStore | None = None,
    allow: frozenset[str] = frozenset({"network.host"}),
) -> int:
    """Runs the program of `image` that `wishes` ask for; returns its exit code.

    It has this process's output streams. Raises: RootRequired, DockyardError, Cancelled.
    """
    require_root("run")
    require_terminal(wishes)
    cancelled = threading.Event()
    with ExitStack() as stack:
        before_writing = limited(store, wishes.max_disk, stack)
        workspace = stack.enter_context(
            open_workspace(store, cancelled, daemon=daemon, before_writing=before_writing)
        )
        kept = workspace.images
        images = Images(kept, workspace.lease, workspace.layers, scratch=workspace.paths.work, stack=stack)
        reader: BlobReader = kept.content
        if daemon is None:
            registries = cache(lambda: open_registries(stack, cancelled))
            reader = whole_image(workspace.lease.content, image, registries)
        found = resolve_platform(reader, image, wishes.platform or host_platform())
        trees = workspace.layers.trees(images.register(found, images.fetcher(reader)))
        executor = Executor(trees_dir=workspace.paths.trees, run_dir=workspace.runtime, allow=allow)
        stack.enter_context(executor)
        source = sys.stdin.fileno() if wishes.interactive else _nothing(stack)
        return executor.attach(
            plan_run(found.config, wishes),
            tuple(reversed(trees)),
            streams=(source, sys.stdout.fileno(), sys.stderr.fileno()),
            cancelled=cancelled,
        )


def require_terminal(wishes: RunWishes) -> None:
    """Raises: UsageError, when a terminal is wished for and there is none."""
    if wishes.terminal and not sys.stdin.isatty():
        raise UsageError("the input device is not a TTY", hint="leave -t out")


def _nothing(stack: ExitStack) -> int:
    """An input that is at its end."""
    fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd
