"""Platforms that fail alone: what is delivered of a build when some of its platforms could not be built.

By default nothing. An index without a platform that its readers expect is worse than none, so it is made only
for those who say `partial="allow"`; and they learn from the result what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.system.errors import DockyardError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.options import BuildOptions
    from builder.platforms import Platform
    from builder.solver.results import PlatformFailure


class PlatformsFailed(DockyardError):
    """Some platforms failed, and nothing was delivered. `failures` say why; `built` are the others."""

    def __init__(self, failures: Sequence[PlatformFailure], built: Sequence[Platform]) -> None:
        total = len(failures) + len(built)
        names = ", ".join(str(each.platform) for each in failures)
        hint = "nothing was delivered"
        if built:
            hint = (
                f"{', '.join(map(str, built))} {'were' if len(built) > 1 else 'was'} built, and nothing was "
                "delivered: the next build does only what is missing, --partial=allow delivers what there is"
            )
        super().__init__(f"{len(failures)} of {total} platforms failed: {names}", hint=hint)
        self.failures = tuple(failures)
        self.built = tuple(built)


def keeps_going(options: BuildOptions) -> bool:
    """Whether platforms fail alone. Raises: UsageError for options that contradict each other."""
    if options.partial == "allow" and options.on_error != "continue":
        raise UsageError(
            "--partial=allow needs --on-error=continue",
            hint="the first failure stops the build otherwise, and leaves no complete platform to deliver",
        )
    return options.on_error == "continue"


def require_deliverable(
    failures: Sequence[PlatformFailure], built: Sequence[Platform], options: BuildOptions
) -> None:
    """Raises: PlatformsFailed unless what was built may be delivered without `failures`.

    A build of one platform ends with the error of that.
    """
    if not failures or (built and options.partial == "allow"):
        return
    if len(failures) == 1 and not built:
        raise failures[0].error
    raise PlatformsFailed(failures, built)
