"""`dockyard doctor`: each thing that dockyard needs of a machine, tried for real, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.report import FAILED, OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.executor.checks import Check


@click.command("doctor")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(form: str) -> int:
    """Say what this machine has and lacks. Changes nothing. Ends with 1 if something is missing."""
    from builder.executor.checks import check_machine
    from builder.scanner.checks import check_scanner

    checks = (*check_machine(), check_scanner())
    if form == "json":
        from builder.oci.digest import encode_json

        click.echo(encode_json(checks).decode())
    else:
        click.echo(describe(checks), nl=False)
    return OK if all(check.ok for check in checks) else FAILED


def describe(checks: Sequence[Check]) -> str:
    """A line for each check, and below those that failed what would help."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"[{'ok' if check.ok else '!!'}] {check.name.ljust(width)}  {check.detail}")
        if not check.ok and check.remedy:
            lines.append(f"     {' ' * width}  -> {check.remedy}")
    return "".join(line + "\n" for line in lines)
