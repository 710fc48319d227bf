"""Errors of the Dockerfile frontend.

    DockerfileError       something in the file is wrong; knows the lines
    ├── DockerfileErrors  several such, found in one reading
    ├── CircularDependency  a stage needs itself, over the lines that say so
    └── NotSupported      the file is right, and dockyard does not do this (yet)
    ExpansionError        a word cannot be expanded; gets its lines where the word stands

Messages are BuildKit's wherever it has one, because people search for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph.location import LocatedError
from builder.system.errors import DockyardError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.graph import Location


class DockerfileError(LocatedError):
    """A mistake in a Dockerfile."""


class CircularDependency(DockerfileError):
    """A stage that needs itself; `way` are the lines that lead back to it, the last one first."""

    def __init__(self, stage: str, way: Sequence[Location]) -> None:
        super().__init__(f"circular dependency detected on stage: {stage}", location=way[0])
        self.locations_on_the_way = tuple(way)

    @property
    def locations(self) -> tuple[Location, ...]:
        """All places of the way."""
        return self.locations_on_the_way


class NotSupported(DockerfileError, Unsupported):
    """Something that BuildKit does and dockyard does not."""


class DockerfileErrors(DockerfileError):
    """All mistakes that one reading found, in file order; the location is that of the first."""

    def __init__(self, errors: Sequence[DockerfileError]) -> None:
        super().__init__("\n".join(str(error) for error in errors), location=errors[0].location)
        self.errors = tuple(errors)

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where each of the errors stands."""
        return tuple(place for error in self.errors for place in error.locations)


class ExpansionError(DockyardError):
    """A word that cannot be expanded."""


def raise_all(errors: Sequence[DockerfileError]) -> None:
    """Raises what was found: a single error as it is, several as one; nothing when there is none."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise DockerfileErrors(errors)


def not_supported_yet(what: str, location: Location | None) -> NotSupported:
    """The error for a part of the language that is read but not built yet."""
    return NotSupported(f"{what} is not supported yet", location=location)
