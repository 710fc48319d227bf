"""White space as the language counts it.

Python's own notion of white space is not the language's: `str.strip()` also takes the separators 0x1c to
0x1f, and `str.splitlines()` many more. Source: Go's unicode.IsSpace.
"""

from __future__ import annotations

import re
from typing import Final

SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""Every character that counts as white space where the language means Unicode's."""

BLANKS: Final = "\t\v\f\r "
"""White space that separates an instruction from its arguments, and the words of plain lists."""

_BLANK_RUN: Final = re.compile(f"[{BLANKS}]+")


def split_blanks(text: str, maximum: int = 0) -> list[str]:
    """The words of `text`, without any notion of quotes; at most `maximum` cuts when that is not 0."""
    return _BLANK_RUN.split(text, maximum) if text else []
