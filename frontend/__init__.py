"""Frontends: text in, build graph out.

A frontend sees pure data only. What it must know of the world (the config of an image, whether a name is a
context of the caller) it asks of a `Resolver`, so that the same text and answers always give the same graph.
The names below load on first use: whoever needs only `Options` must not pay for a parser.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from frontend.definition import CheckWarning, Definition
    from frontend.dockerfile.addresses import read_address
    from frontend.dockerfile.conversion import convert
    from frontend.dockerfile.ignorefile import read_ignore_file
    from frontend.dockerfile.requests.answer import Answer
    from frontend.options import Options
    from frontend.resolver import (
        BuiltContext,
        ImageContext,
        LocalContext,
        NamedContext,
        RemoteContext,
        ResolvedImage,
        Resolver,
        context_key,
    )

_HOMES: Final = {
    "Answer": "frontend.dockerfile.requests.answer",
    "BuiltContext": "frontend.resolver",
    "CheckWarning": "frontend.definition",
    "Definition": "frontend.definition",
    "ImageContext": "frontend.resolver",
    "LocalContext": "frontend.resolver",
    "NamedContext": "frontend.resolver",
    "Options": "frontend.options",
    "RemoteContext": "frontend.resolver",
    "ResolvedImage": "frontend.resolver",
    "Resolver": "frontend.resolver",
    "context_key": "frontend.resolver",
    "convert": "frontend.dockerfile.conversion",
    "read_address": "frontend.dockerfile.addresses",
    "read_ignore_file": "frontend.dockerfile.ignorefile",
}

__all__ = [
    "Answer",
    "BuiltContext",
    "CheckWarning",
    "Definition",
    "ImageContext",
    "LocalContext",
    "NamedContext",
    "Options",
    "RemoteContext",
    "ResolvedImage",
    "Resolver",
    "context_key",
    "convert",
    "read_address",
    "read_ignore_file",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'frontend' has no attribute {name!r}")
    return getattr(import_module(home), name)
