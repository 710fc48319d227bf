"""What the checks of one build found, without what the file does not want to hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frontend.definition import CheckWarning
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from builder.graph import Location
    from frontend.dockerfile.checks.rules import Rule
    from frontend.dockerfile.checks.settings import CheckSettings

_MAX_FINDINGS: Final = 1000
# Looking for a name costs time for each that is known, and a text may use and know thousands.
_MAX_SEARCHES: Final = 50
_MAX_CANDIDATES: Final = 500


class Findings:
    """Collects findings; more than a thousand help nobody, and are left out."""

    def __init__(self, settings: CheckSettings) -> None:
        self._settings = settings
        self._found: dict[CheckWarning, None] = {}
        self._searches = 0

    @property
    def warnings(self) -> tuple[CheckWarning, ...]:
        """The findings in the order in which they were made: first those of the whole text."""
        return tuple(self._found)

    def report(self, rule: Rule, message: str, location: Location, *, comments: Iterable[str] = ()) -> None:
        """Notes that `rule` has something to say at `location`, where `comments` stand before the instruction."""
        if len(self._found) >= _MAX_FINDINGS or not self._settings.with_comments(comments).allow(rule):
            return
        warning = CheckWarning(
            rule=rule.name, message=message, location=location, description=rule.description, url=rule.url
        )
        self._found[warning] = None

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        """The known name that may have been meant, as long as this is not asked too often."""
        self._searches += 1
        if self._searches > _MAX_SEARCHES or len(known) > _MAX_CANDIDATES:
            return None
        return suggest(name, known)

    def require_none(self) -> None:
        """Raises: DockerfileError when there are findings and the file wants them to be errors."""
        if self._settings.error and self._found:
            rules = ", ".join(dict.fromkeys(warning.rule for warning in self.warnings))
            raise DockerfileError(f"lint violation found for rules: {rules}", location=None)
