"""The grammars of what has structure inside a line, compiled when first needed.

Loading lark and compiling a grammar costs more than reading a whole usual Dockerfile, so each reader has a
short cut for plain text, and a file without unusual words never gets here.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frontend.dockerfile.characters import SPACES

if TYPE_CHECKING:
    from lark import Lark

_FOLDER: Final = Path(__file__).parent


@cache
def load(name: str, escape: str) -> Lark:
    """The LALR parser of `name`.lark for files whose escape character is `escape`.

    In the grammars, `<E>` stands for the escape character and `<S>` for white space, both as they are written
    inside a character class.
    """
    from lark import Lark

    text = (_FOLDER / f"{name}.lark").read_text(encoding="utf-8")
    spaces = "".join(f"\\u{ord(space):04x}" for space in SPACES)
    text = text.replace("<E>", re.escape(escape)).replace("<S>", spaces)
    return Lark(text, parser="lalr", maybe_placeholders=False, keep_all_tokens=False)
