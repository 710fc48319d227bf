"""Stages: what each is based on, what it copies from, and which of them the target needs.

All stages are checked, because a mistake in one that is not needed today is a mistake all the same; only the
needed ones are resolved and built.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from builder.oci.reference import InvalidReference, parse_reference
from builder.platforms import InvalidPlatform, Platform, parse_platform
from builder.system.quoting import quote
from builder.system.values import Value
from frontend.dockerfile.errors import CircularDependency, DockerfileError, raise_all
from frontend.dockerfile.expansion import names_in
from frontend.dockerfile.mounts import mount_source
from frontend.dockerfile.scope import expand_at
from frontend.dockerfile.suggestions import did_you_mean
from frontend.dockerfile.tree import Copy, Dockerfile, Instruction, Run, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from builder.graph import Location

SCRATCH: Final = "scratch"
_INDEX: Final = r"[+-]?[0-9]{1,9}"


class Source(Value, frozen=True):
    """What a `--from` or a mount of the instruction at `location` means: a stage, None for anything else."""

    stage: int | None
    location: Location


class PlannedStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage with its FROM line understood.

    `parent` is the stage that it is based on, None for an image, whose name is `image`; `platform` is what
    `--platform` asks for. `sources` has one for each `--from` and each mount.
    """

    stage: Stage
    parent: int | None
    image: str
    platform: Platform | None
    sources: tuple[Source, ...]

    @property
    def copied(self) -> dict[int, Location]:
        """The stages that this one copies from or mounts, and the lines that say so."""
        return {each.stage: each.location for each in self.sources if each.stage is not None}

    @property
    def dependencies(self) -> set[int]:
        """The stages that must be there before this one."""
        return {*self.copied, *(() if self.parent is None else (self.parent,))}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All stages of a file for one target platform; `target` is the index of the one to build.

    `wants_all`: the others are wanted, too.
    """

    stages: tuple[PlannedStage, ...]
    target: int
    names: dict[str, int]
    wants_all: bool = False

    def label(self, index: int) -> str:
        """What progress calls the stage: nothing when it is all there is."""
        is_single = len(self.stages) == 1 and all(each.stage is not None for each in self.stages[0].sources)
        return "" if is_single else self.stages[index].stage.display_name

    def needed(
        self, is_replaced: Callable[[PlannedStage], bool], triggered: Mapping[int, set[int]]
    ) -> list[int]:
        """The stages that the target needs, in file order. One that is replaced needs nothing.

        `triggered` are what stages need besides, because of triggers that fire in them.
        """
        reached = set(range(len(self.stages))) if self.wants_all else {self.target}
        pending = sorted(reached)
        while pending:
            index = pending.pop()
            planned = self.stages[index]
            if not is_replaced(planned):
                new = (planned.dependencies | triggered.get(index, set())) - reached
                reached |= new
                pending.extend(new)
        return sorted(reached)


def make_plan(
    dockerfile: Dockerfile, variables: Mapping[str, str], *, target: str, build_platform: Platform
) -> Plan:
    """The plan for one target platform, whose global scope is `variables`.

    `build_platform` completes a `--platform` that names an architecture or a system alone.

    Raises: DockerfileError for a FROM line or a `--from` that makes no sense, for cycles, and when there is
    no stage `target`.
    """
    names = {stage.name: stage.index for stage in dockerfile.stages if stage.name}
    escape = dockerfile.directives.escape
    errors = _Errors()
    earlier: dict[str, int] = {}
    stages: list[PlannedStage] = []
    for stage in dockerfile.stages:
        planned = PlannedStage(stage=stage, parent=None, image="", platform=None, sources=())
        with errors.kept():
            image = _read_base(stage, variables, escape=escape)
            # Only the exact lower-case spelling means a stage: `FROM Build` is an image.
            planned = replace(planned, image=image, parent=earlier.get(image))
            platform = _read_platform(stage, variables, escape=escape, host=build_platform)
            planned = replace(planned, platform=platform)
        stages.append(planned)
        if stage.name:
            earlier[stage.name] = stage.index
    for planned in stages:
        with errors.kept():
            if planned.parent is None and planned.image not in ("", SCRATCH):
                _check_reference(planned.image, planned.stage.origin.location)
    for planned in stages:
        with errors.kept():
            instructions = planned.stage.instructions
            sources = sources_of(instructions, names, stages=len(stages), escape=escape)
            stages[planned.stage.index] = replace(planned, sources=sources)
    raise_all(errors.found)
    _check_cycles(stages)
    return Plan(stages=tuple(stages), target=_find_target(target, dockerfile, names), names=names)


class _Errors:
    """Mistakes of lines that do not depend on each other, to be reported together."""

    def __init__(self) -> None:
        self.found: list[DockerfileError] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keeps the mistake that ends the block."""
        try:
            yield
        except DockerfileError as error:
            self.found.append(error)


def _read_base(stage: Stage, variables: Mapping[str, str], *, escape: str) -> str:
    """What FROM names, with its variables replaced."""
    origin = stage.origin
    image = expand_at(origin.image, variables, location=origin.location, escape=escape)
    if not image:
        raise DockerfileError(f"base name ({origin.image}) should not be blank", location=origin.location)
    return image


def _check_reference(image: str, location: Location) -> None:
    try:
        parse_reference(image)
    except InvalidReference as error:
        raise DockerfileError(
            f"failed to parse stage name {quote(image)}: {error.message}", location=location
        ) from error


def _read_platform(
    stage: Stage, variables: Mapping[str, str], *, escape: str, host: Platform
) -> Platform | None:
    origin = stage.origin
    if not origin.platform:
        return None
    unset: set[str] = set()
    text = expand_at(origin.platform, variables, location=origin.location, escape=escape, unset=unset)
    hints = (did_you_mean(name, variables) for name in sorted(unset))
    suggestion = next((hint for hint in hints if hint), "")
    if not text:
        raise DockerfileError(
            f"empty platform value from expression {origin.platform}{suggestion}", location=origin.location
        )
    try:
        return parse_platform(text, host=host)
    except InvalidPlatform as error:
        raise DockerfileError(
            f"failed to parse platform {text}: {error.message}{suggestion}", location=origin.location
        ) from error


def sources_of(
    instructions: Iterable[Instruction], names: Mapping[str, int], *, stages: int, escape: str
) -> tuple[Source, ...]:
    """What `instructions` copy from or mount. Raises: DockerfileError."""
    sources: list[Source] = []
    for each in instructions:
        if isinstance(each, Copy) and each.source_stage:
            found = find_source(each, names, stages=stages, escape=escape)
            sources.append(Source(found, each.location))
        elif isinstance(each, Run):
            for source in map(mount_source, each.mounts):
                found = mounted_stage(source, names, location=each.location) if source else None
                sources.append(Source(found, each.location))
    return tuple(sources)


def mounted_stage(source: str, names: Mapping[str, int], *, location: Location) -> int | None:
    """The stage that the `from` of a mount means: by name alone; None when it means an image.

    Raises: DockerfileError.
    """
    index = names.get(source.lower())
    if index is None and source != SCRATCH:
        _check_reference(source, location)
    return index


def find_source(copy: Copy, names: Mapping[str, int], *, stages: int, escape: str) -> int | None:
    """The stage that the `--from` of `copy` means, by number or by name; None when it means an image.

    Raises: DockerfileError for a number without a stage, and for variables, which `--from` does not know.
    """
    source = copy.source_stage
    if names_in(source, escape=escape):
        raise DockerfileError(
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from "
            "global scope as a workaround",
            location=copy.location,
        )
    if not re.fullmatch(_INDEX, source):
        index = names.get(source.lower())
        if index is None and source != SCRATCH:
            _check_reference(source, copy.location)
        return index
    if not 0 <= int(source) < stages:
        raise DockerfileError(f"invalid stage index {int(source)}", location=copy.location)
    return int(source)


def _find_target(target: str, dockerfile: Dockerfile, names: Mapping[str, int]) -> int:
    if not target:
        return len(dockerfile.stages) - 1
    index = names.get(target.lower())
    if index is None and re.fullmatch(_INDEX, target) and 0 <= int(target) < len(dockerfile.stages):
        # BuildKit knows names only; no name begins with a digit.
        index = int(target)
    if index is None:
        raise DockerfileError(
            f"target stage {quote(target)} could not be found{did_you_mean(target, names)}", location=None
        )
    return index


def _check_cycles(stages: Sequence[PlannedStage]) -> None:
    """Depth first from each stage; without recursion, because a file may chain thousands of stages.

    What a stage is based on stands before it, and is part of no circle.
    """
    done: set[int] = set()
    for root in range(len(stages)):
        path: dict[int, list[int]] = {}
        enter: int | None = root
        while enter is not None or path:
            if enter is not None:
                done.add(enter)
                path[enter] = sorted(stages[enter].copied)
                enter = None
            current = next(reversed(path))
            if not path[current]:
                del path[current]
                continue
            dependency = path[current].pop(0)
            if dependency in path:
                way = [*path, dependency]
                places = [stages[here].copied[there] for here, there in pairwise(way)]
                raise CircularDependency(stages[root].stage.display_name, places[::-1])
            if dependency not in done:
                enter = dependency
