"""Reads a Dockerfile into its syntax tree, and reports all mistakes of the file together.

A line that is wrong says nothing about the next one, so reading goes on behind it. Only what makes the rest
of the file unreadable ends it: a wrong directive, or a heredoc without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Location
from frontend.dockerfile import tree
from frontend.dockerfile.arguments import ArgumentError
from frontend.dockerfile.directives import read_directives, require_own_frontend
from frontend.dockerfile.errors import DockerfileError, raise_all
from frontend.dockerfile.instructions import read_instruction
from frontend.dockerfile.lines import logical_lines, read_source
from frontend.dockerfile.statement import StatementError, split_statement

if TYPE_CHECKING:
    from builder.graph import SourceFile
    from frontend.dockerfile.directives import Directives
    from frontend.dockerfile.lines import LogicalLine


def parse(name: str, content: bytes, *, frontend: str = "") -> tree.Dockerfile:
    """The syntax tree of `content`; `name` is what errors call the file.

    `frontend` is what the caller says about who is to read the file; it counts more than the syntax directive.
    Raises: DockerfileError for a single mistake, DockerfileErrors for several, NotSupported when another
    frontend is asked for.
    """
    source = read_source(name, content)
    lines = source.text.split("\n")
    if not lines[-1]:
        lines.pop()
    directives = read_directives(source, lines)
    require_own_frontend(frontend or directives.syntax or "", Location(source, 1, max(1, directives.count)))
    instructions, interrupted = _read_instructions(source, lines, directives)
    if not instructions:
        raise DockerfileError("file with no instructions", location=Location(source, len(lines), len(lines)))
    arguments, stages = _arrange(instructions)
    return tree.Dockerfile(
        source=source,
        directives=directives,
        arguments=arguments,
        stages=stages,
        empty_continuations=tuple(interrupted),
    )


def _read_instructions(
    source: SourceFile, lines: list[str], directives: Directives
) -> tuple[list[tree.Instruction], list[Location]]:
    """The instructions, and the last lines of those that blank lines interrupt."""
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
        errors.append(error)
    raise_all(errors)
    return instructions, interrupted


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
