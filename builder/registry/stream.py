"""A body that goes on where it was cut.

Registries and what stands before them close connections; a layer of gigabytes must not begin again. The
stream asks for the rest, by any host that has it. The caller checks the digest of the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from builder.oci.digest import CHUNK
from builder.registry.errors import Interrupted, InvalidAnswer
from builder.system.rawstreams import RawStream

if TYPE_CHECKING:
    from builder.registry.repository import Repository
    from builder.registry.wire import Answer

_STATUSES: Final = frozenset({200, 206})
_RANGE: Final = re.compile(r"bytes (\d+)-", re.ASCII)
_MAX_CUTS: Final = 100
"""Times that one stream is taken up again; a server that sends a byte at a time is not one to wait for."""


class ResumingStream(RawStream):
    """The bytes of `what`, a blob or manifest of the repository. Opening it sends the first request."""

    def __init__(self, repository: Repository, what: str, *, accept: str = "*/*") -> None:
        """Raises: NotFound and other kinds of RegistryError; Cancelled."""
        super().__init__()
        self._repository = repository
        self._what = what
        self._accept = accept
        self._position = 0
        self._failures = 0
        self._cuts = 0
        self._answer = self._ask()

    @property
    def host(self) -> str:
        """Who sends the bytes."""
        return self._answer.host

    def pull(self, size: int) -> bytes:
        """The next bytes. Raises: RegistryError, Cancelled."""
        while True:
            try:
                chunk = self._answer.read(size)
            except Interrupted as error:
                self._resume(error)
            else:
                break
        self._position += len(chunk)
        if chunk:
            self._failures = 0
        return chunk

    def close(self) -> None:
        """Ends the transfer."""
        if not self.closed:
            self._answer.close()
        super().close()

    def _resume(self, error: Interrupted) -> None:
        while True:
            self._failures += 1
            self._cuts += 1
            if self._cuts > _MAX_CUTS:
                raise error
            self._repository.patience.recover(error, self._failures)
            try:
                self._answer.close()
                self._answer = self._ask()
            except Interrupted as again:
                error = again
            else:
                return

    def _ask(self) -> Answer:
        headers = {"Accept": self._accept}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
        answer = self._repository.pull("GET", self._what, headers=headers, expect=_STATUSES)
        try:
            self._go_to_position(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _go_to_position(self, answer: Answer) -> None:
        """Takes a whole body for what it is when only the rest was asked for."""
        begins = 0
        if answer.status == 206:
            found = _RANGE.match(answer.header("Content-Range"))
            begins = int(found[1]) if found else -1
        if begins not in (0, self._position):
            raise InvalidAnswer(
                f"{answer.host} sent another part of {self._what} than was asked for: "
                f"{answer.header('Content-Range')[:100]!r}"
            )
        left = self._position - begins
        while left and (skipped := len(answer.read(min(left, CHUNK)))):
            left -= skipped
        if left:
            raise InvalidAnswer(f"{answer.host} sends less of {self._what} than before")
