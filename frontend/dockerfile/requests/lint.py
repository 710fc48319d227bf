"""`frontend.lint`: what the checks find, in the stages of a target, or in all when none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.graph import Location, excerpt
from builder.system.errors import Cancelled, DockyardError
from frontend.dockerfile.conversion import convert
from frontend.dockerfile.requests.answer import Answer, Place, base64_text, encode, place

if TYPE_CHECKING:
    from frontend.definition import CheckWarning
    from frontend.options import Options
    from frontend.resolver import Resolver


class _Warning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    rule_name: str
    description: str
    url: str = ""
    detail: str
    location: Place


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """`definition` would be the graph that the file came out of, and here it came out of none."""

    filename: str
    data: str
    definition: None = None
    language: str = "Dockerfile"


class _BuildError(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    location: Place | _Nowhere


class _Nowhere(msgspec.Struct, frozen=True):
    """The place of what belongs to no line: an empty object."""


class _Lint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    warnings: tuple[_Warning, ...] | None
    sources: tuple[_Source, ...]
    build_error: _BuildError | msgspec.UnsetType = msgspec.UNSET


def lint(text: bytes, options: Options, resolver: Resolver, *, file: str = "") -> Answer:
    """What the checks find in the Dockerfile `text`; a file that cannot be built is part of the answer.

    `file` is what people call the Dockerfile, when that is not its name alone.
    """
    warnings: list[CheckWarning] = []
    error: DockyardError | None = None
    chosen = msgspec.structs.replace(options, platforms=options.platforms[:1], all_stages=not options.target)
    try:
        convert(text, chosen, resolver, on_warning=warnings.append)
    except Cancelled:
        raise
    except DockyardError as caught:
        error = caught
    return Answer(
        text=_shown(sorted(warnings, key=lambda each: each.location.first), error, file),
        document=encode(_document(text, options.filename, warnings, error)),
        failed=bool(warnings or error),
        error=error,
        file=file,
    )


def _shown(warnings: list[CheckWarning], error: DockyardError | None, file: str) -> str:
    if not warnings:
        return "" if error else "Check complete, no warnings found.\n"
    # What could not be built is shown behind it.
    end = "\n" if error else ""
    count = "1 warning has" if len(warnings) == 1 else f"{len(warnings)} warnings have"
    shown = "".join(_shown_warning(each, file) for each in warnings)
    return f"Check complete, {count} been found!\n{shown}{end}"


def _shown_warning(warning: CheckWarning, file: str) -> str:
    more = f" - {warning.url}" if warning.url else ""
    return f"\nWARNING: {warning.rule}{more}\n{warning.message}\n{excerpt(warning.location, file=file)}\n"


def _document(text: bytes, filename: str, warnings: list[CheckWarning], error: DockyardError | None) -> _Lint:
    shown = tuple(
        _Warning(
            rule_name=each.rule,
            description=each.description,
            url=each.url,
            detail=each.message,
            location=place(each.location),
        )
        for each in warnings
    )
    source = _Source(filename=filename, data=base64_text(text.decode(errors="replace")))
    if error is None:
        return _Lint(warnings=shown or None, sources=(source,))
    places: tuple[Location, ...] = getattr(error, "locations", ())
    ranges = tuple(line for each in places[:1] for line in place(each).ranges)
    return _Lint(
        warnings=shown or None,
        sources=(source,),
        build_error=_BuildError(message=error.message, location=Place(ranges) if ranges else _Nowhere()),
    )
