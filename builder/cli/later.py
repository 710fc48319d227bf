"""What the contract of the command names and a later release brings: said plainly, never half done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def not_supported(what: str, hint: str | None = None) -> UsageError:
    """The error of asking for `what`."""
    return UsageError(f"{what} is not supported yet", hint=hint)


def refused_option(*names: str, accept: frozenset[str] = frozenset(), help: str) -> click.Option:  # noqa: A002
    """An option that refuses every value but those of `accept`."""
    return click.Option(
        list(names), multiple=True, metavar="SPEC", expose_value=False, callback=_refuse(accept),
        help=f"{help} (not supported yet)",
    )  # fmt: skip


def _refuse(accept: frozenset[str]) -> Callable[[click.Context, click.Parameter, object], None]:
    def callback(_ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        values = value if isinstance(value, tuple) else (value,) if value else ()
        for each in values:
            if str(each).lower() not in accept:
                raise not_supported(max(parameter.opts, key=len))

    return callback
