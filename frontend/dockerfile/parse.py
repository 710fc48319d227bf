"""Reads a Dockerfile into its syntax tree, and reports all mistakes of the file together.

A line that is wrong says nothing about the next one, so reading goes on behind it. Only what makes the rest
of the file unreadable ends it: a wrong directive, or a heredoc without end. What could be read of such a file may
have mistakes of its own, between its stages; they are reported together with those of the lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Location
from frontend.dockerfile import tree
from frontend.dockerfile.arguments import ArgumentError
from frontend.dockerfile.directives import read_directives, require_own_frontend
from frontend.dockerfile.errors import DockerfileError, raise_all
from frontend.dockerfile.instructions import READERS, read_instruction
from frontend.dockerfile.lines import logical_lines, read_source
from frontend.dockerfile.statement import StatementError, split_statement
from frontend.dockerfile.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from builder.graph import SourceFile
    from frontend.dockerfile.directives import Directives
    from frontend.dockerfile.lines import LogicalLine


def parse(
    name: str,
    content: bytes,
    *,
    frontend: str = "",
    mistakes: Callable[[tree.Dockerfile], Iterable[DockerfileError]] = lambda _rest: (),
) -> tree.Dockerfile:
    """The syntax tree of `content`; `name` is what errors call the file.

    `frontend` is what the caller says about who is to read the file; it counts more than the syntax directive.
    `mistakes` tells what else is wrong with a file of which some lines, but no FROM, could not be read.
    Raises: DockerfileError for a single mistake, DockerfileErrors for several, NotSupported when another
    frontend is asked for.
    """
    source = read_source(name, content)
    lines = source.text.split("\n")
    if not lines[-1]:
        lines.pop()
    directives = read_directives(source, lines)
    require_own_frontend(frontend or directives.syntax or "", Location(source, 1, max(1, directives.count)))
    instructions, interrupted, errors = _read_instructions(source, lines, directives)
    if errors:
        raise_all(_with_others(errors, instructions, source, directives, mistakes))
    if not instructions:
        raise DockerfileError("file with no instructions", location=Location(source, len(lines), len(lines)))
    return _whole(source, directives, instructions, interrupted)


def _whole(
    source: SourceFile,
    directives: Directives,
    instructions: list[tree.Instruction],
    interrupted: Sequence[Location] = (),
) -> tree.Dockerfile:
    arguments, stages = _arrange(instructions)
    return tree.Dockerfile(
        source=source,
        directives=directives,
        arguments=arguments,
        stages=stages,
        empty_continuations=tuple(interrupted),
    )


def _with_others(
    errors: list[DockerfileError],
    instructions: list[tree.Instruction],
    source: SourceFile,
    directives: Directives,
    mistakes: Callable[[tree.Dockerfile], Iterable[DockerfileError]],
) -> list[DockerfileError]:
    """`errors` of lines, and what `mistakes` says of the others, by their places."""
    if any(map(_may_be_from, errors)):
        # Without one of the stages, nobody can tell what the others mean.
        return errors
    try:
        rest = _whole(source, directives, instructions)
    except DockerfileError:
        return errors
    return sorted((*errors, *mistakes(rest)), key=lambda each: each.location.first if each.location else 0)


def _may_be_from(error: DockerfileError) -> bool:
    place = error.location
    if place is None:
        return True
    # Of an unknown instruction all may be white space of a kind that does not end words in a Dockerfile.
    word = next(iter(place.source.text.split("\n")[place.first - 1].split(maxsplit=1)), "").upper()
    return word == "FROM" or (word not in READERS and suggest(word, READERS) == "FROM")


def _read_instructions(
    source: SourceFile, lines: list[str], directives: Directives
) -> tuple[list[tree.Instruction], list[Location], list[DockerfileError]]:
    """The instructions, the last lines of those that blank lines interrupt, and what could not be read."""
    instructions: list[tree.Instruction] = []
    interrupted: list[Location] = []
    errors: list[DockerfileError] = []
    try:
        for line in logical_lines(source, lines, directives):
            if line.empty_continuation:
                interrupted.append(Location(source, line.location.last, line.location.last))
            try:
                instructions.append(_read_line(line, directives.escape))
            except DockerfileError as error:
                errors.append(error)
    except DockerfileError as error:
        raise_all([*errors, error])
    return instructions, interrupted, errors


def _read_line(line: LogicalLine, escape: str) -> tree.Instruction:
    """The node for one logical line. Raises: DockerfileError."""
    try:
        return read_instruction(split_statement(line, escape))
    except StatementError as error:
        raise _parse_error(str(error), line.location) from error
    except ArgumentError as error:
        raise DockerfileError(str(error), location=line.location) from error


def _arrange(
    instructions: list[tree.Instruction],
) -> tuple[tuple[tree.Arg, ...], tuple[tree.Stage, ...]]:
    """The ARG lines in front of all stages, and the stages."""
    starts = [index for index, each in enumerate(instructions) if isinstance(each, tree.From)]
    before = instructions[: starts[0]] if starts else instructions
    arguments = tuple(each for each in before if isinstance(each, tree.Arg))
    if len(arguments) < len(before):
        stray = next(each for each in before if not isinstance(each, tree.Arg))
        raise DockerfileError("no build stage in current context", location=stray.location)
    if not starts:
        raise DockerfileError("dockerfile contains no stages to build", location=None)
    stages: list[tree.Stage] = []
    for start, end in zip(starts, [*starts[1:], len(instructions)], strict=True):
        origin = instructions[start]
        if isinstance(origin, tree.From):
            body = tuple(instructions[start + 1 : end])
            stages.append(tree.Stage(index=len(stages), origin=origin, instructions=body))
    return arguments, tuple(stages)


def _parse_error(message: str, location: Location) -> DockerfileError:
    return DockerfileError(f"dockerfile parse error on line {location.first}: {message}", location=location)
