"""SPDX licence expressions: whether what they offer can be used under what a policy allows.

Of `A OR B` one must do, of `A AND B` both; `A WITH exception` is known by that name and by `A`.
Source: SPDX 2.3, annex D.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from exporter.attest.policy.patterns import Pattern, fits

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_SAID: Final = frozenset({"", "NOASSERTION", "NONE"})
"""What stands in an SBOM in place of a licence that nobody knows."""

_MAX_EXPRESSION: Final = 16 << 10


class UnreadableLicence(ValueError):
    """Text that is no licence expression."""


class LicenceJudge:
    """Tells of expressions whether they satisfy `allowed` (empty: everything is) and `denied`; remembers them."""

    def __init__(self, allowed: tuple[Pattern, ...], denied: tuple[Pattern, ...]) -> None:
        self._allowed = allowed
        self._denied = denied
        self.accepts: Callable[[str], bool] = cache(self._judge)

    def _judge(self, expression: str) -> bool:
        """Whether it can be used. Raises: UnreadableLicence."""
        return self._satisfied(_parsed(expression))

    def _satisfied(self, node: Any) -> bool:
        from license_expression import AND, OR, LicenseWithExceptionSymbol

        if isinstance(node, AND):
            return all(map(self._satisfied, node.args))
        if isinstance(node, OR):
            return any(map(self._satisfied, node.args))
        names = [str(node)]
        if isinstance(node, LicenseWithExceptionSymbol):
            names.append(str(node.license_symbol))
        return (not self._allowed or fits(self._allowed, *names)) and not fits(self._denied, *names)


def _parsed(expression: str) -> Any:
    # Loaded here because only policies about licences need it.
    from license_expression import ExpressionError, Licensing

    if len(expression) > _MAX_EXPRESSION:
        raise UnreadableLicence("an expression that is too long")
    try:
        parsed = Licensing().parse(expression)
    except (ExpressionError, RecursionError) as error:
        raise UnreadableLicence(f"no licence expression: {str(error)[:100]}") from None
    if parsed is None:
        raise UnreadableLicence("an empty expression")
    return parsed
