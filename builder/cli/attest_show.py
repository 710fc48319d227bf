"""`dockyard attest show`: provenance and SBOM of an image, as tables, as JSON, or as their authors wrote them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from builder.cli.image_places import open_place
from builder.cli.settings import driver_option
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.cli.settings import Settings
    from exporter.attest.reading.attested import AttestedImage


class NothingAttested(DockyardError):
    """The image has no statement of the kind that was asked for."""


@click.command("show")
@click.option("--platform", "platforms", metavar="LIST", multiple=True, help="Show these platforms only.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "spdx", "slsa"]),
    default="text",
    show_default=True,
    help="spdx and slsa write the predicates as they are.",
)
@driver_option
@click.argument("image")
@click.pass_obj
def command(
    settings: Settings, /, image: str, platforms: tuple[str, ...], form: str, driver: str | None
) -> None:
    """Show what is said about IMAGE: a name of the store, oci-layout:PATH[:TAG], or an archive FILE.tar.

    Nothing is verified: `dockyard verify` does that.
    """
    from builder.cli.attest_text import as_json, as_text
    from builder.platforms import parse_platforms
    from exporter.attest.reading.attested import read_attested
    from exporter.attest.reading.signatures import count_signatures

    wanted = tuple(parse_platforms(platforms))
    with ExitStack() as stack:
        found = open_place(settings, image, driver, stack)
        images = read_attested(found.place.reader, found.root, wanted)
        if form in ("spdx", "slsa"):
            _write_predicates(form, images)
            return
        subjects = (found.root, *(each.image for each in images if each.image.digest != found.root.digest))
        signatures = count_signatures(found.place, subjects)
    if not images:
        raise NothingAttested(f"{found.name} has no image for {', '.join(map(str, wanted))}")
    if form == "json":
        click.echo(as_json(found.name, found.root, images, signatures))
    else:
        click.echo(as_text(found.name, found.root, images, signatures), nl=False)


def _write_predicates(form: str, images: Sequence[AttestedImage]) -> None:
    """Every predicate of the kind, one after the other: a lone one is written byte for byte."""
    from exporter.attest.reading.provenance import PREFIX
    from exporter.attest.reading.sbom import SPDX

    prefix = SPDX if form == "spdx" else PREFIX
    found = [said for each in images for said in each.statements if said.predicate_type.startswith(prefix)]
    if not found:
        absent = any(each.absent for each in images)
        raise NothingAttested(
            f"there is no {'SBOM' if form == 'spdx' else 'provenance'}",
            hint="not all of the image is here; `dockyard pull` brings the rest" if absent else None,
        )
    click.echo(b"\n".join(said.predicate for said in found), nl=len(found) > 1)
