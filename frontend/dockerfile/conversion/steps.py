"""Names of steps as progress shows them: `[linux/arm64 build 2/5] RUN make`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.platforms import InvalidPlatform, Platform, parse_platform
from frontend.dockerfile.expansion import show
from frontend.dockerfile.tree import Add, Copy, Instruction, Run, Stage, Workdir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Steps:
    """Numbers the steps of one stage, in order.

    `platform` is the stage's, None when the build has only one and does not mention it.
    """

    def __init__(self, stage: Stage, *, label: str, has_image: bool, platform: Platform | None) -> None:
        counted = sum(isinstance(each, Add | Copy | Run | Workdir) for each in stage.instructions)
        self._total = counted + has_image
        self._label = f"{label} " if label else ""
        self._platform = platform
        self._index = 0
        self._prefix = ""

    @contextmanager
    def triggered(self, count: int) -> Iterator[None]:
        """Steps of the block come from `count` triggers, and say so. All triggers count, whatever they do."""
        self._total += count
        self._prefix = "ONBUILD "
        yield
        self._prefix = ""

    def name(self, text: str, variables: Mapping[str, str] | None = None) -> str:
        """The name of the next step; a stage without any step has no numbers at all."""
        if not self._total:
            return text
        text = self._prefix + text
        self._index += 1
        number = f"{self._index:{len(str(self._total))}d}/{self._total}"
        return f"[{self._shown_platform(variables or {})}{self._label}{number}] {text}"

    def again(self, text: str, variables: Mapping[str, str]) -> str:
        """A second name under the number of the last step."""
        self._index -= 1
        return self.name(text, variables)

    def _shown_platform(self, variables: Mapping[str, str]) -> str:
        if self._platform is None:
            return ""
        return f"{self._platform}{_arrow(self._platform, _told_target(variables, self._platform))} "


def command_text(
    instruction: Instruction, variables: Mapping[str, str], *, escape: str, verbatim: bool = False
) -> str:
    """An instruction for people: its word in capitals, its variables replaced."""
    text = show(instruction.text, variables, escape=escape, verbatim=verbatim)
    length = len(instruction.keyword)
    return text[:length].upper() + text[length:]


def _told_target(variables: Mapping[str, str], own: Platform) -> Platform:
    """The platform that the stage's TARGET arguments speak of; its own while none is declared."""
    try:
        return parse_platform(variables["TARGETPLATFORM"], host=own)
    except (KeyError, InvalidPlatform):
        pass
    if not variables.keys() & {"TARGETOS", "TARGETARCH", "TARGETVARIANT"}:
        return own
    return Platform(
        variables.get("TARGETOS") or own.os,
        variables.get("TARGETARCH") or own.architecture,
        variables.get("TARGETVARIANT", ""),
    ).normalized()


def _arrow(own: Platform, target: Platform) -> str:
    """`->arm64`: only what differs."""
    if target.os != own.os:
        return f"->{target}"
    if target.architecture != own.architecture:
        return f"->{'/'.join(part for part in (target.architecture, target.variant) if part)}"
    return f"->{target.variant}" if target.variant != own.variant else ""
