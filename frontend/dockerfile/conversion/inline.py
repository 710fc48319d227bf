"""Heredocs: files that COPY and ADD make of them, and what RUN gives its shell.

The builder itself expands only what becomes a file; the shell that a RUN starts reads its own heredocs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.graph import MakeFile, ScriptMount
from builder.system.values import Value
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.heredocs import is_marker

if TYPE_CHECKING:
    from builder.graph import Owner
    from frontend.dockerfile import tree
    from frontend.dockerfile.conversion.stage import StageConversion
    from frontend.dockerfile.heredocs import Heredoc

_SCRIPTS: Final = "/dev/pipes/"


def inline_files(
    stage: StageConversion,
    node: tree.Transfer,
    *,
    destination: str,
    mode: int | str | None,
    owner: Owner | None,
) -> tuple[MakeFile, ...]:
    """The files that the heredocs of `node` make at `destination`. Raises: DockerfileError."""
    epoch = stage.scene.epoch
    return tuple(
        MakeFile(
            name=each.name,
            content=stage.expand_document(each, node.location) if each.expand else each.body,
            destination=destination,
            mode=mode,
            owner=owner,
            mtime=epoch.seconds if epoch else None,
        )
        for each in node.heredocs
    )


class ShellInput(Value, frozen=True):
    """What a RUN with heredocs gives its shell; `summary` stands behind the name of the step."""

    command: str
    scripts: tuple[ScriptMount, ...]
    summary: str


def shell_input(node: tree.Run, *, has_scripts: bool) -> ShellInput:
    """The command of `node` and the scripts that it names.

    A body that is all there is becomes the command, or, where `has_scripts` and it begins with `#!`, a program.
    Raises: DockerfileError.
    """
    (line,) = node.command.words
    first = node.heredocs[0]
    if not is_marker(line):
        bodies = "".join(f"\n{each.content}{each.name}" for each in node.heredocs)
        return ShellInput(line + bodies, (), "")
    summary = f" ({_summary(first)})"
    if not has_scripts or not first.content.startswith("#!"):
        return ShellInput(first.body, (), summary)
    if "/" in first.name or first.name in (".", ".."):
        raise DockerfileError(f"{first.name!r} cannot be the name of a script", location=node.location)
    target = _SCRIPTS + first.name
    return ShellInput(target, (ScriptMount(target=target, content=first.body),), summary)


def _summary(heredoc: Heredoc) -> str:
    """The first line of the body, with dots for the others."""
    first, *others = heredoc.content.strip().replace("\r\n", "\n").split("\n")
    return f"{first}..." if others else first
