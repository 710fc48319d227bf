"""What solving a vertex yields: a stack of layers, a directory of the caller to read from, or a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from builder.platforms import Platform
from builder.snapshot.layerdb import LayerID
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from builder.snapshot.context import ContextView


class Layered(msgspec.Struct, frozen=True):
    """A file system as the stack of its layers, lowest first; no layers is the empty one."""

    layers: tuple[LayerID, ...] = ()


class LocalFiles:
    """A directory of the caller. It has no identity of its own: what a step reads from it has."""

    def __init__(self, view: ContextView) -> None:
        self.view = view


Result: TypeAlias = Layered | LocalFiles


class Failed(msgspec.Struct, frozen=True, eq=False):
    """Neither of them, because of `error`: of the step itself, or of one that it needs."""

    error: DockyardError | OSError


Outcome: TypeAlias = Layered | LocalFiles | Failed


class PlatformFailure(msgspec.Struct, frozen=True, eq=False):
    """Why there is nothing for `platform`; platforms that need the same failed step have the same `error`."""

    platform: Platform
    error: DockyardError | OSError
