"""`dockyard build --call`: a question about the Dockerfile instead of a build, as in buildx."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal

import click

from builder.cli.report import FAILED, OK, print_finding
from builder.progress.modes import open_renderer
from builder.progress.renderer import Display
from builder.system.errors import UsageError
from builder.system.values import Value

if TYPE_CHECKING:
    from builder.api.calling import Question
    from builder.api.options import BuildOptions
    from builder.cli.settings import Settings
    from builder.progress.modes import Mode

_QUESTIONS: Final[dict[str, Question | None]] = {
    "": None,
    "build": None,
    "check": "check",
    "lint": "check",
    "outline": "outline",
    "targets": "targets",
}


class Call(Value, frozen=True):
    """What is asked, and in which form the answer is wanted."""

    question: Question
    form: Literal["text", "json"] = "text"


def read_call(word: str, *, check: bool) -> Call | None:
    """What `--call` and `--check` ask for; None for a build. Raises: UsageError."""
    name, *attributes = word.split(",")
    if name not in _QUESTIONS:
        raise UsageError(f"invalid call {name!r}", hint="one of build, check, outline, targets")
    question = "check" if check else _QUESTIONS[name]
    form: Literal["text", "json"] = "text"
    for attribute in attributes:
        match attribute:
            case "format=json":
                form = "json"
            case "format=text":
                form = "text"
            case _:
                raise UsageError(f"invalid call attribute {attribute!r}", hint="format=text or format=json")
    return Call(question, form) if question else None


def answer(call: Call, options: BuildOptions, mode: Mode, settings: Settings) -> int:
    """Prints the answer to standard output; returns the exit code, which tells what checks found."""
    from builder.api.calling import call as ask

    with Display(open_renderer(mode, sys.stderr, debug=settings.debug)) as display:
        found = ask(options, call.question, on_event=display)
    click.echo(found.document if call.form == "json" else found.text, nl=call.form == "json")
    if found.error is not None:
        print_finding(found.error, file=found.file, debug=settings.debug)
    return FAILED if found.failed else OK
