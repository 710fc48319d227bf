"""What a build has made and not delivered yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.workspace import Workspace
    from builder.graph import Target
    from builder.solver.solve import Solution
    from exporter.attest.source import AttestationSource


class Built(Value, frozen=True):
    """The targets, their `solution`, and the `workspace` that holds it.

    `sources` say what is attested; none is asked before the targets are solved.
    """

    targets: Sequence[Target]
    solution: Solution
    workspace: Workspace
    sources: Sequence[AttestationSource] = ()
