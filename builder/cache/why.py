"""Why steps ran again: two builds compared, step by step, down to the field or file that moved.

A step that missed is a *cause* when something of its own moved: a word of its instruction, a file that it
copied, the image below it, the wish to ignore the cache. If only what it stands on, or the stage that it copies
from, moved, it was dragged along, and the explanation belongs to that step. Pure: parts come from a `PartsSource`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import msgspec

from builder.cache.moved import Change, content_changes, operation_changes

if TYPE_CHECKING:
    from builder.cache.history import BuildRecord, BuiltStep
    from builder.cache.parts import ListedFile, Parts
    from builder.oci.digest import Digest

_PLACE: Final = re.compile(r"\[(.*?)(\d+)/\d+\]")

Reason: TypeAlias = Literal["first", "new", "changed", "ignored", "rules", "unfinished", "lost", "unknown"]
"""Why a step ran.

`first`: there is no build to compare with. `new`: no step stood there. `changed`: see the changes. `ignored`: no
cache was wanted. `rules`: another version made the keys. `unfinished`: the earlier build did not get through it.
`lost`: nothing moved, but the record was gone. `unknown`: what one of the keys was made of was not kept.
"""


class PartsSource(Protocol):
    """Where the parts of keys are remembered."""

    def find(self, key: Digest) -> Parts | None:
        """The parts of `key`."""
        ...

    def listing(self, content: Digest) -> tuple[ListedFile, ...] | None:
        """What was selected."""
        ...


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A step that ran again for a reason of its own, and the names of those that it dragged along."""

    step: str
    line: int = 0
    reason: Reason
    compared_with: str | None = None
    changes: tuple[Change, ...] = ()
    dragged: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a build did, and why: causes in the order of the steps. `earlier` None: nothing to compare with."""

    build: int
    earlier: int | None
    executed: int
    cached: int
    causes: tuple[Cause, ...] = ()


def explain(build: BuildRecord, earlier: BuildRecord | None, parts: PartsSource) -> Explanation:
    """Compares `build` with the one before it."""
    return Explanation(
        build=build.id,
        earlier=earlier.id if earlier is not None else None,
        executed=sum(step.state in ("executed", "failed") for step in build.steps),
        cached=sum(step.state == "cached" and not step.is_image for step in build.steps),
        causes=_Comparison(build, earlier, parts).causes(),
    )


class _Comparison:
    def __init__(self, build: BuildRecord, earlier: BuildRecord | None, parts: PartsSource) -> None:
        self._steps = build.steps
        self._parts = parts
        self._earlier = earlier.steps if earlier is not None else ()
        self._keys = {step.key for step in self._earlier}
        present = {_signature(step.name) for step in self._steps}
        self._by_signature = {_signature(step.name): step for step in self._earlier}
        # What stands somewhere else now is not what a new step took the place of.
        self._gone = [step for step in self._earlier if _signature(step.name) not in present]
        self._has_earlier = earlier is not None

    def causes(self) -> tuple[Cause, ...]:
        causes: dict[int, Cause] = {}
        blamed: dict[int, int] = {}
        dragged: dict[int, list[str]] = {}
        for position, step in enumerate(self._steps):
            if step.state not in ("executed", "failed") and not self._is_moved_image(step):
                continue
            below = next((blamed[each] for each in step.inputs if each in blamed), None)
            match = self._image_before(position) if step.is_image else self._match(step)
            cause = self._own_cause(step, match, drawn=below is not None)
            if cause is not None:
                causes[position], blamed[position], dragged[position] = cause, position, []
            elif below is not None:
                blamed[position] = below
                dragged[below].append(step.name)
        return tuple(
            msgspec.structs.replace(cause, dragged=tuple(dragged[position]))
            for position, cause in causes.items()
            # An image is no work of its own.
            if dragged[position] or not self._steps[position].is_image
        )

    def _own_cause(self, step: BuiltStep, match: BuiltStep | None, *, drawn: bool) -> Cause | None:
        """Why `step` ran, apart from what it stands on; None when that alone, which was `drawn`, is the reason."""
        if step.ignored_cache:
            return self._cause(step, "ignored", match)
        if not self._has_earlier:
            return None if drawn else self._cause(step, "first", None)
        if match is None:
            return None if drawn and step.is_image else self._cause(step, "new", None)
        if step.key is not None and step.key == match.key:
            reached = match.state in ("cached", "executed")
            return self._cause(step, "lost" if reached else "unfinished", match)
        now = self._parts.find(step.key) if step.key is not None else None
        then = self._parts.find(match.key) if match.key is not None else None
        if now is None or then is None:
            return None if drawn else self._cause(step, "unknown", match)
        if now.rules != then.rules:
            return self._cause(step, "rules", match)
        changes = operation_changes(then.operation, now.operation)
        if not drawn or None in now.inputs:
            changes += self._content_changes(then, now)
        if changes:
            return self._cause(step, "changed", match, changes)
        return None if drawn else self._cause(step, "lost", match)

    def _content_changes(self, then: Parts, now: Parts) -> tuple[Change, ...]:
        if then.content == now.content:
            return ()
        before = self._parts.listing(then.content) if then.content is not None else ()
        after = self._parts.listing(now.content) if now.content is not None else ()
        if before is None or after is None:
            return (Change(kind="content", field="content", before=then.content, after=now.content),)
        return content_changes(before, after)

    def _is_moved_image(self, step: BuiltStep) -> bool:
        return step.is_image and self._has_earlier and step.key not in self._keys

    def _image_before(self, position: int) -> BuiltStep | None:
        """The image of the earlier build below what now stands on the image at `position`."""
        above = (self._match(step) for step in self._steps if position in step.inputs and not step.is_image)
        below = (self._earlier[each] for step in above if step is not None for each in step.inputs)
        return next((step for step in below if step.is_image), None)

    def _match(self, step: BuiltStep) -> BuiltStep | None:
        """The step of the earlier build that `step` is, or that it took the place of."""
        same = self._by_signature.get(_signature(step.name))
        if same is not None:
            return same
        alike = [each for each in self._gone if each.stage == step.stage and _word(each) == _word(step)]
        there = next((each for each in alike if _place(each.name) == _place(step.name)), None)
        if there is not None:
            return there
        texts = {_signature(each.name)[1]: each for each in alike}
        # Loaded for a step that has no namesake, which is rare.
        from difflib import get_close_matches

        close = get_close_matches(_signature(step.name)[1], texts, n=1)
        return texts[close[0]] if close else None

    def _cause(
        self, step: BuiltStep, reason: Reason, match: BuiltStep | None, changes: tuple[Change, ...] = ()
    ) -> Cause:
        return Cause(
            step=step.name,
            line=step.line,
            reason=reason,
            compared_with=match.name if match is not None and match.name != step.name else None,
            changes=changes,
        )


def _place(name: str) -> str:
    """The part of a step's name that says where it stands, without how many there are: `linux/amd64 build 2`."""
    found = _PLACE.match(name)
    return found[1] + found[2] if found else name.partition("]")[0]


def _signature(name: str) -> tuple[str, str]:
    """What a step is, wherever it stands: the stage with its platform, and the text of the instruction."""
    found = _PLACE.match(name)
    head, _, text = name.partition("] ")
    return (found[1] if found else head), text


def _word(step: BuiltStep) -> str:
    """The instruction of a step: `RUN`."""
    return _signature(step.name)[1].partition(" ")[0]
