"""`dockyard attest diff`: what changed between two images, by what is said about them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from builder.cli.image_places import open_place
from builder.cli.report import FAILED, OK
from builder.cli.settings import driver_option

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("diff")
@click.option("--platform", "platforms", metavar="LIST", multiple=True, help="Compare these platforms only.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there are changes.")
@driver_option
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.pass_obj
def command(
    settings: Settings,
    /,
    before: str,
    after: str,
    platforms: tuple[str, ...],
    form: str,
    driver: str | None,
    *,
    exit_code: bool,
) -> int:
    """Show what changed from A to B: packages, materials, parameters, builder.

    A and B are names of the store, oci-layout:PATH[:TAG], or archives FILE.tar. Nothing is verified.
    """
    import msgspec

    from builder.cli.attest_text import changes_as_text
    from builder.oci.digest import encode_json
    from builder.platforms import parse_platforms
    from exporter.attest.reading.attested import read_attested
    from exporter.attest.reading.difference import compare

    wanted = tuple(parse_platforms(platforms))
    with ExitStack() as stack:
        found = [open_place(settings, image, driver, stack) for image in (before, after)]
        old, new = (read_attested(each.place.reader, each.root, wanted) for each in found)
    changes = compare(old, new)
    if form == "json":
        images = [{"image": each.name, "digest": each.root.digest} for each in found]
        report = {"before": images[0], "after": images[1], "changes": changes}
        click.echo(msgspec.json.format(encode_json(report), indent=2))
    else:
        click.echo(changes_as_text(changes), nl=False)
    return FAILED if exit_code and changes else OK
