r"""Foreign text made fit for a terminal: no control sequence of a build step ever reaches it.

Names come from Dockerfiles and output from the programs that they run; both could move the cursor, retitle
the window or forge a line of ours. Progress bars that redraw a line with `\r` are shown in their last state.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = r"""(?x)
    \x1b\[ [0-?]* [\x20-/]* [@-~]?              # CSI: colours, cursor
  | \x1b[\]PX^_] [^\x07\x1b]* (?:\x07|\x1b\\)?  # OSC, DCS, SOS, PM, APC: strings to the terminal
  | \x1b [\x20-/]* [0-~]?                       # all other escape sequences
"""
# C0 but for tab and newline, DEL, C1, and the marks that reorder text for the eye only.
_CONTROLS: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_LONGEST_LINE: Final = 64 << 10


def printable(text: str) -> str:
    """`text` without control sequences; newlines and tabs stay."""
    if text.isprintable():
        return text
    return re.sub(_CONTROLS, "", re.sub(_ESCAPES, "", text))


def one_line(text: str) -> str:
    """`text` without control sequences, on one line."""
    return " ".join(printable(text.replace("\t", " ")).splitlines())


class LineBuffer:
    """Makes lines of the bytes of one stream. A line is given out when it is complete, or 64 KiB long."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, printable and without their ends."""
        *complete, partial = (self._partial + data).split(b"\n")
        self._partial = _last_state(partial, keep_end=True)
        if len(self._partial) > _LONGEST_LINE:
            complete.append(self._partial)
            self._partial = b""
        return [_line(raw) for raw in complete]

    def flush(self) -> list[str]:
        """The last line, if it has no end."""
        partial, self._partial = self._partial, b""
        return [_line(partial)] if partial else []


def _line(raw: bytes) -> str:
    return printable(_last_state(raw, keep_end=False).decode("utf-8", errors="replace"))


def _last_state(raw: bytes, *, keep_end: bool) -> bytes:
    """What a line that was redrawn after carriage returns shows in the end."""
    stripped = raw.rstrip(b"\r")
    last = stripped[stripped.rfind(b"\r") + 1 :]
    return last + b"\r" if keep_end and len(stripped) < len(raw) else last
