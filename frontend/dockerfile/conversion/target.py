"""One platform's build: its stages, in file order, each from its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Target
from builder.oci.config import scratch_config
from frontend.dockerfile.conversion.images import context_vertex, image_name, image_vertex
from frontend.dockerfile.conversion.scene import Scene, set_scene
from frontend.dockerfile.conversion.stage import StageConversion
from frontend.dockerfile.conversion.state import StageState, empty_base, image_base
from frontend.dockerfile.conversion.steps import Steps
from frontend.dockerfile.errors import not_supported_yet
from frontend.dockerfile.planning import SCRATCH, PlannedStage
from frontend.resolver import ImageContext

if TYPE_CHECKING:
    from builder.graph import Location, Vertex
    from builder.oci.config import ImageConfig
    from builder.platforms import Platform
    from frontend.dockerfile.conversion.images import Images
    from frontend.dockerfile.tree import Dockerfile
    from frontend.options import Options
    from frontend.resolver import NamedContext, ResolvedImage


def convert_target(dockerfile: Dockerfile, options: Options, images: Images, platform: Platform) -> Target:
    """The graph for `platform`. Raises: DockerfileError."""
    scene = set_scene(dockerfile, options, images, platform)
    states: dict[int, StageState] = {}
    for index in scene.plan.needed(lambda planned: _replacement(scene, planned) is not None):
        states[index] = _convert_stage(scene, scene.plan.stages[index], states)
    result = states[scene.plan.target]
    config = result.image_config(platform, options.labels)
    return Target(platform=platform, vertex=result.vertex, config=config)


def _replacement(scene: Scene, planned: PlannedStage) -> NamedContext | None:
    """The context that the caller put in the place of a whole stage."""
    if not planned.stage.name:
        return None
    return scene.images.context(planned.stage.name, planned.platform or scene.platform)


def _convert_stage(scene: Scene, planned: PlannedStage, states: dict[int, StageState]) -> StageState:
    stage = planned.stage
    platform = planned.platform or scene.platform
    if context := _replacement(scene, planned):
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
    if context := scene.images.context(planned.image, platform):
        empty = scratch_config(platform)
        return _context_state(scene, planned, context, name=planned.image, empty=empty)
    location = planned.stage.origin.location
    image = scene.images.image(planned.image, platform, location=location, stages=scene.stage_names)
    name = steps.name(f"FROM {image_name(image)}")
    label = scene.plan.label(planned.stage.index)
    base = image_vertex(image, name, location=location, stage=label)
    return _image_state(scene, image, base, platform=platform, location=location)


def _context_state(
    scene: Scene, planned: PlannedStage, context: NamedContext, *, name: str, empty: ImageConfig
) -> StageState:
    """The state of a stage, or of its base, that is the context `name`; `empty` for one without config."""
    location = planned.stage.origin.location
    platform = planned.platform or scene.platform
    base = context_vertex(name, context, location)
    if isinstance(context, ImageContext):
        return _image_state(scene, context.image, base, platform=platform, location=location)
    return StageState(empty, vertex=base, platform=platform, epoch=scene.epoch)


def _image_state(
    scene: Scene, image: ResolvedImage, base: Vertex, *, platform: Platform, location: Location
) -> StageState:
    if image.config.config.on_build:
        raise not_supported_yet(f"ONBUILD in the base image {image.reference.familiar}", location)
    return StageState(image_base(image.config), vertex=base, platform=platform, epoch=scene.epoch)
