"""ONBUILD: which triggers fire in which stage, and what else the build needs because of them.

Triggers come from base images and from earlier stages, so they are known only when the bases are; they may copy
from stages that nothing else needs. Therefore bases are resolved here, before any stage is converted, again and
again until nothing new is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.graph import Location, SourceFile
from builder.system.values import Value
from frontend.dockerfile import tree
from frontend.dockerfile.arguments import ArgumentError
from frontend.dockerfile.directives import Directives
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.instructions import read_instruction
from frontend.dockerfile.lines import logical_lines
from frontend.dockerfile.planning import SCRATCH, PlannedStage, sources_of
from frontend.dockerfile.statement import StatementError, split_statement
from frontend.resolver import context_config

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.oci.config import ImageConfig
    from frontend.dockerfile.conversion.scene import Scene
    from frontend.resolver import NamedContext


MAX_TRIGGERS: Final = 10_000
"""How many triggers may fire in one build: a short file could otherwise ask for any number of steps."""


class Needed(Value, frozen=True):
    """The stages that the target needs, in file order, and the triggers that fire in them."""

    stages: list[int]
    triggers: dict[int, tuple[tree.Instruction, ...]]


def replacement(scene: Scene, planned: PlannedStage) -> NamedContext | None:
    """The context that the caller put in the place of a whole stage."""
    if not planned.stage.name:
        return None
    location = planned.stage.origin.location
    return scene.images.context(planned.stage.name, planned.platform or scene.platform, location=location)


def find_needed(scene: Scene) -> Needed:
    """What the target of `scene` needs. Raises: DockerfileError."""
    plan = scene.plan
    triggers: dict[int, tuple[tree.Instruction, ...]] = {}
    sources: dict[int, set[int]] = {}
    fired_count = 0
    while True:
        needed = plan.needed(lambda planned: replacement(scene, planned) is not None, sources)
        new = [index for index in needed if index not in triggers]
        if not new:
            return Needed(needed, triggers)
        for index in new:
            fired = _fired_in(scene, plan.stages[index], triggers)
            triggers[index] = fired
            fired_count += len(fired)
            if fired_count > MAX_TRIGGERS:
                raise DockerfileError(
                    f"more than {MAX_TRIGGERS} ONBUILD triggers fire in one build",
                    location=plan.stages[index].stage.origin.location,
                )
            found = sources_of(fired, plan.names, stages=len(plan.stages), escape=scene.escape)
            sources[index] = {each.stage for each in found if each.stage not in (None, index)}


def triggers_left_by(
    scene: Scene, planned: PlannedStage, fired: Iterable[tree.Instruction]
) -> tuple[str, ...]:
    """The triggers that `planned`, in which `fired` have fired, leaves for what is built on it."""
    context = replacement(scene, planned)
    if context is not None:
        return _triggers(context_config(context))
    instructions = (*fired, *planned.stage.instructions)
    return tuple(each.trigger for each in instructions if isinstance(each, tree.Onbuild))


def _fired_in(
    scene: Scene, planned: PlannedStage, known: dict[int, tuple[tree.Instruction, ...]]
) -> tuple[tree.Instruction, ...]:
    if replacement(scene, planned) is not None:
        return ()
    if planned.parent is None:
        texts = _triggers(_base_config(scene, planned))
    else:
        texts = triggers_left_by(scene, scene.plan.stages[planned.parent], known[planned.parent])
    location = planned.stage.origin.location
    return tuple(_read_trigger(text, location) for text in texts)


def _triggers(config: ImageConfig | None) -> tuple[str, ...]:
    return config.config.on_build or () if config else ()


def _base_config(scene: Scene, planned: PlannedStage) -> ImageConfig | None:
    if planned.image == SCRATCH:
        return None
    platform = planned.platform or scene.platform
    location = planned.stage.origin.location
    context = scene.images.context(planned.image, platform, location=location)
    if context is not None:
        return context_config(context)
    return scene.images.image(planned.image, platform, location=location, stages=scene.stage_names).config


def _read_trigger(text: str, location: Location) -> tree.Instruction:
    """The instruction of a trigger; it is read on its own, and stands where it fires, on the FROM line.

    Raises: DockerfileError.
    """
    from msgspec.structs import replace

    source = SourceFile("ONBUILD trigger", text)
    try:
        lines = list(logical_lines(source, text.split("\n"), Directives()))
    except DockerfileError as error:
        raise DockerfileError(error.message, location=location) from error
    if len(lines) != 1:
        raise DockerfileError("onbuild trigger should be a single expression", location=location)
    line = replace(lines[0], location=location)
    try:
        instruction = read_instruction(split_statement(line, Directives().escape))
    except (StatementError, ArgumentError) as error:
        raise DockerfileError(str(error), location=location) from error
    if isinstance(instruction, tree.From):
        raise DockerfileError("FROM isn't allowed as an ONBUILD trigger", location=location)
    return instruction
