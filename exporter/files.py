"""The files of a result as one tar archive: a file, or a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.digest import CHUNK
from builder.snapshot.tarwriter import write_tar
from builder.store.layout.output import output_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from builder.snapshot.entry import Node


def write_files_tar(nodes: Iterable[Node], dest: Path | None, *, stdout: int) -> None:
    """Writes the archive of `nodes`, sorted, to the file `dest`, which appears when it is complete.

    With `dest` None it goes to the descriptor `stdout`.
    Raises: ContentChanged, StoreError; OSError when a stream cannot be written.
    """
    if dest is None:
        _write(nodes, stdout)
        return
    with output_file(dest) as fd:
        _write(nodes, fd)


def _write(nodes: Iterable[Node], fd: int) -> None:
    # Archives of small files consist of small pieces.
    with open(fd, "wb", buffering=CHUNK, closefd=False) as stream:
        write_tar(nodes, stream)
