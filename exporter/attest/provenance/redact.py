"""Credentials in URLs, wherever in a predicate they stand. Source: the class of faults of CVE-2023-26054."""

from __future__ import annotations

import re
from typing import Final

_USER: Final = r"(://)[^/?#\s\"'<>]*@"
_MASK: Final = r"\1xxxxx@"


def redacted(text: str) -> str:
    """`text` with the user, and the password, of every URL in it replaced by `xxxxx`."""
    return re.sub(_USER, _MASK, text) if "://" in text else text


def redacted_tree(value: object) -> object:
    """A tree of dicts, lists and scalars with every text in it `redacted`, keys included."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(key): redacted_tree(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_tree(each) for each in value]
    return value
