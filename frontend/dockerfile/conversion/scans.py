"""What an SBOM shall cover besides the image: stages and the context, as two arguments of the file ask.

`BUILDKIT_SBOM_SCAN_STAGE` and `BUILDKIT_SBOM_SCAN_CONTEXT` are true, false, or a list of stages. A stage goes by
its own ARG, or its parent's, else by the global one; whether the context is scanned, the target decides.
Source: BuildKit's docs/attestations/sbom.md and its conversion of Dockerfiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.graph import Copy, Description, Extra, File, Owner, vertex
from frontend.dockerfile.conversion.images import build_context
from frontend.dockerfile.conversion.triggers import replacement
from frontend.dockerfile.scope import SCAN_CONTEXT, SCAN_STAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.graph import Vertex
    from frontend.dockerfile.conversion.scene import Scene
    from frontend.dockerfile.conversion.state import StageState
    from frontend.options import Options

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_CONTEXT: Final = "context"


def scan_extras(scene: Scene, states: Mapping[int, StageState]) -> tuple[Extra, ...]:
    """The context and the stages among `states`, all that the target needs, that shall be scanned."""
    target = scene.plan.target
    extras = []
    if _is_asked(scene, states, target, SCAN_CONTEXT):
        extras.append(Extra(name=_CONTEXT, vertex=_context(scene.options)))
    for index, state in states.items():
        if index != target and _is_asked(scene, states, index, SCAN_STAGE):
            extras.append(Extra(name=scene.plan.stages[index].stage.display_name, vertex=state.vertex))
    return tuple(extras)


def _is_asked(scene: Scene, states: Mapping[int, StageState], index: int, argument: str) -> bool:
    planned = scene.plan.stages[index]
    if replacement(scene, planned):
        # Not a line of it was read.
        return False
    value = states[index].declared.get(argument, scene.variables.get(argument, ""))
    if value in _TRUE | _FALSE:
        return value in _TRUE
    return planned.stage.display_name in value.split(",")


def _context(options: Options) -> Vertex:
    """The whole context as a file system."""
    copy = Copy(input=0, sources=("/",), destination="/", owner=Owner(0, 0))
    description = Description(name="[internal] copy build context to scan")
    return vertex(File(base=None, actions=(copy,)), build_context(options), description=description)
