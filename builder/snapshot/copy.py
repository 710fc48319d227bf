"""File operations planned: what COPY, ADD and WORKDIR select, and the layer that they make.

A plan looks at the sources once and serves both questions that the engine has: which content is this (before, for
the cache) and which nodes make the layer (after, if the cache had nothing). Nothing is copied here: nodes say
where the bytes are, and whoever needs an archive or a tree of them reads them there.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from builder.graph.operations import Copy
from builder.oci.digest import Digest
from builder.snapshot.limits import DEFAULT_LIMITS, UnpackLimits
from builder.snapshot.selection import Listing, SelectedTree, headers_digest, select, selection_headers
from builder.snapshot.stack import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from builder.graph.operations import File
    from builder.snapshot.entry import FileView, Node


class FilePlan:
    """A file operation together with the file systems it copies from.

    `sources` are the inputs of the vertex in order; those that no action copies from may be None. `limits` are
    for each archive that ADD unpacks.
    """

    def __init__(
        self,
        operation: File,
        sources: Sequence[FileView | None],
        limits: UnpackLimits = DEFAULT_LIMITS,
    ) -> None:
        self._operation = operation
        self._sources = sources
        self._limits = limits

    @property
    def needs_accounts(self) -> bool:
        """Whether `nodes` will read `/etc/passwd` and `/etc/group` of what is below."""
        from builder.snapshot.owners import has_names

        return any(has_names(action.owner) for action in self._operation.actions)

    def files(self) -> Iterator[Node]:
        """All regular files that are selected, whose digests `content_key` will ask for."""
        for selection in self._selections.values():
            for tree in selection:
                for node in (tree.root, *tree.members):
                    if node.entry.kind in ("file", "hardlink"):
                        yield node

    def content_key(self, digest_of: Callable[[Node], Digest]) -> tuple[Digest, Listing] | None:
        """Names all that the copies select, names included, and what was named; None when nothing is copied.

        Raises: PathNotFound and what else `builder.snapshot.selection.select` raises; what `digest_of` raises.
        """
        actions = [action for action in self._operation.actions if isinstance(action, Copy)]
        if not actions:
            return None
        total = sha256()
        for action in actions:
            headers = selection_headers(action, self._selections[action], digest_of)
            # Each action has a digest of its own: where one ends is a part of the name.
            total.update(headers_digest(headers).encode())
        return Digest("sha256:" + total.hexdigest()), Listing(self._selections, digest_of)

    def nodes(self, below: FileView, *, now_ns: int, scratch: Path) -> list[Node]:
        """The layer that the operation makes on `below`, sorted; empty when nothing changes.

        `now_ns` is the time of the step, in nanoseconds since the epoch. Archives that ADD unpacks are laid out
        in the directory `scratch`, which must outlive the nodes.
        Raises: SnapshotError and its kinds; OSError.
        """
        # Loaded here because a step that the cache knows makes nothing.
        from builder.snapshot.making import make_nodes

        return make_nodes(
            self._operation, self._selections, below, now_ns=now_ns, scratch=scratch, limits=self._limits
        )

    @cached_property
    def _selections(self) -> dict[Copy, tuple[SelectedTree, ...]]:
        actions = [action for action in self._operation.actions if isinstance(action, Copy)]
        return {action: select(action, self._source(action)) for action in actions}

    def _source(self, action: Copy) -> FileView:
        source = None if action.input is None else self._sources[action.input]
        return EMPTY if source is None else source
