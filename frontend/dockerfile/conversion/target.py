"""One platform's build: its stages, in file order, each from its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Target
from builder.oci.config import scratch_config
from frontend.dockerfile.conversion.checking import check_platform
from frontend.dockerfile.conversion.images import context_vertex, directory_layer, image_name, image_vertex
from frontend.dockerfile.conversion.scans import scan_extras
from frontend.dockerfile.conversion.stage import StageConversion
from frontend.dockerfile.conversion.state import StageState, empty_base, image_base
from frontend.dockerfile.conversion.steps import Steps
from frontend.dockerfile.conversion.triggers import find_needed, replacement, triggers_left_by
from frontend.dockerfile.planning import SCRATCH, PlannedStage
from frontend.resolver import context_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.config import ImageConfig
    from builder.platforms import Platform
    from frontend.dockerfile.conversion.scene import Scene
    from frontend.dockerfile.tree import Instruction
    from frontend.resolver import NamedContext


def convert_target(scene: Scene) -> Target:
    """The graph for the platform of `scene`. Raises: DockerfileError."""
    states = convert_stages(scene)
    result = states[scene.plan.target]
    # Nobody asked for a platform: then the image is what its last stage was made on.
    platform = scene.platform if scene.options.platforms else result.platform
    config = result.image_config(platform, scene.options.labels)
    return Target(platform=platform, vertex=result.vertex, config=config, extras=scan_extras(scene, states))


def convert_stages(scene: Scene) -> dict[int, StageState]:
    """What the stages that are needed become, by their index. Raises: DockerfileError."""
    states: dict[int, StageState] = {}
    needed = find_needed(scene)
    for index in needed.stages:
        planned, triggers = scene.plan.stages[index], needed.triggers[index]
        states[index] = _convert_stage(scene, planned, states, triggers=triggers)
        states[index].triggers = triggers_left_by(scene, planned, triggers)
    return states


def _convert_stage(
    scene: Scene,
    planned: PlannedStage,
    states: dict[int, StageState],
    *,
    triggers: Sequence[Instruction],
) -> StageState:
    stage = planned.stage
    platform = planned.platform or scene.platform
    if context := replacement(scene, planned):
        empty = empty_base(platform)
        return _context_state(scene, planned, context, name=stage.name, empty=empty)
    steps = Steps(
        stage,
        label=scene.plan.label(stage.index),
        has_image=planned.parent is None and planned.image != SCRATCH,
        platform=_shown_platform(scene, planned, states),
    )
    state = _base_state(scene, planned, states, steps=steps)
    conversion = StageConversion(scene, stage, state=state, steps=steps, states=states)
    with steps.triggered(len(triggers)):
        for instruction in triggers:
            conversion.convert(instruction)
    for instruction in stage.instructions:
        conversion.convert(instruction)
    return state


def _shown_platform(scene: Scene, planned: PlannedStage, states: dict[int, StageState]) -> Platform | None:
    if not scene.is_multi_platform:
        return None
    if planned.parent is not None:
        return states[planned.parent].platform
    return scene.platform if planned.image == SCRATCH else planned.platform or scene.platform


def _base_state(
    scene: Scene, planned: PlannedStage, states: dict[int, StageState], *, steps: Steps
) -> StageState:
    """What the FROM line gives. `--platform` counts for images only."""
    if planned.parent is not None:
        return StageState.of_parent(states[planned.parent])
    if planned.image == SCRATCH:
        config = scratch_config(scene.platform)
        return StageState(config, vertex=None, platform=scene.platform, epoch=scene.epoch)
    platform = planned.platform or scene.platform
    location = planned.stage.origin.location
    if context := scene.images.context(planned.image, platform, location=location):
        empty = scratch_config(platform)
        return _context_state(scene, planned, context, name=planned.image, empty=empty)
    image = scene.images.image(planned.image, platform, location=location, stages=scene.stage_names)
    name = steps.name(f"FROM {image_name(image)}")
    label = scene.plan.label(planned.stage.index)
    base = image_vertex(image, name, location=location, stage=label)
    check_platform(planned, image, platform, scene.findings)
    return StageState(image_base(image.config), vertex=base, platform=platform, epoch=scene.epoch)


def _context_state(
    scene: Scene, planned: PlannedStage, context: NamedContext, *, name: str, empty: ImageConfig
) -> StageState:
    """The state of a stage, or of its base, that is the context `name`; `empty` for one without config."""
    location = planned.stage.origin.location
    platform = planned.platform or scene.platform
    found = context_vertex(name, context, location)
    config = context_config(context)
    if config is not None or found is None:
        start = empty if config is None else image_base(config)
        return StageState(start, vertex=found, platform=platform, epoch=scene.epoch)
    layer = directory_layer(name, found, location)
    state = StageState(empty, vertex=layer, platform=platform, epoch=scene.epoch)
    state.context = found
    return state
