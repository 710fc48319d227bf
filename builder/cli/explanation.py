"""An explanation of a build, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.cache.moved import Change
    from builder.cache.why import Cause, Explanation

_MOST_CHANGES: Final = 10
_MOST_DRAGGED: Final = 5
_REASONS: Final = {
    "first": "no earlier build to compare with",
    "new": "no such step in the earlier build",
    "ignored": "the cache was not wanted (--no-cache)",
    "rules": "another version of dockyard made the earlier key",
    "unfinished": "the earlier build did not get through this step",
    "lost": "nothing moved, but its result was no longer in the cache",
    "unknown": "what the key was made of is no longer known",
}


def as_text(explanation: Explanation, step: str | None = None) -> str:
    """Lines without a last line feed; `step` chooses the causes whose step, or one that they dragged, has it."""
    number, earlier = explanation.build, explanation.earlier
    against = f", compared with build {earlier}" if earlier is not None else ""
    counts = f"{explanation.executed} steps ran, {explanation.cached} were cached"
    lines = [f"build {number}{against}: {counts}"]
    for cause in explanation.causes:
        if step is None or step in cause.step or any(step in each for each in cause.dragged):
            lines += _cause(cause)
    if not explanation.executed:
        lines.append("  nothing ran again")
    return "\n".join(lines)


def _cause(cause: Cause) -> Iterator[str]:
    line = f" (line {cause.line})" if cause.line else ""
    yield f"  {cause.step}{line}"
    if cause.compared_with is not None:
        yield f"    took the place of: {cause.compared_with}"
    if cause.reason != "changed":
        yield f"    {_REASONS[cause.reason]}"
    for change in cause.changes[:_MOST_CHANGES]:
        yield f"    {_change(change)}"
    if len(cause.changes) > _MOST_CHANGES:
        yield f"    and {len(cause.changes) - _MOST_CHANGES} more changes"
    for name in cause.dragged[:_MOST_DRAGGED]:
        yield f"    so this ran again: {name}"
    if len(cause.dragged) > _MOST_DRAGGED:
        yield f"    and {len(cause.dragged) - _MOST_DRAGGED} more steps"


def _change(change: Change) -> str:
    if change.kind == "file":
        if change.before is None or change.after is None:
            return f"file {change.field}: {change.after or change.before}"
        if change.what == "content":
            return f"file {change.field}: content changed"
        return f"file {change.field}: {change.what} {change.before} -> {change.after}"
    name = f"variable {change.field}" if change.kind == "variable" else change.field
    if change.before is None:
        return f"{name}: added, {change.after}"
    if change.after is None:
        return f"{name}: removed, was {change.before}"
    return f"{name}: {change.before} -> {change.after}"
