"""`dockyard verify`: whether an image is whole, what is said about it is about it, and who signed it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.image_places import open_place
from builder.cli.policy_values import read_policies
from builder.cli.report import FAILED, OK
from builder.cli.settings import driver_option

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from exporter.attest.signing.keys import PublicKey


@click.command("verify")
@click.option(
    "--key", "keys", metavar="FILE", multiple=True, help="A public key; one of them must have signed."
)
@click.option(
    "--policy", "policies", metavar="FILE", multiple=True, help="Rules that the image must satisfy (TOML)."
)
@click.option("--platform", "platforms", metavar="LIST", multiple=True, help="Platforms that must be there.")
@click.option(
    "--deep", is_flag=True, help="Decompress layers even if they are large, to check their diff IDs."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True
)
@driver_option
@click.argument("image")
@click.pass_obj
def command(
    settings: Settings,
    /,
    image: str,
    keys: tuple[str, ...],
    policies: tuple[str, ...],
    platforms: tuple[str, ...],
    form: str,
    driver: str | None,
    *,
    deep: bool,
) -> int:
    """Check IMAGE: a name of the active store, oci-layout:PATH[:TAG], or an archive FILE.tar.

    Reads every blob; opens no connection. Exit code 1 when anything does not hold.
    """
    from builder import __version__
    from builder.platforms import parse_platforms
    from exporter.attest.verify import render
    from exporter.attest.verify.engine import verify_image

    wanted, allowed = parse_platforms(platforms), [_read_key(Path(key)) for key in keys]
    with ExitStack() as stack:
        found = open_place(settings, image, driver, stack)
        findings = verify_image(
            found.place.reader,
            found.root,
            place=found.place,
            keys=allowed,
            platforms=wanted,
            policies=read_policies(policies),
            elsewhere=found.elsewhere,
            deep=deep,
        )
    name, root = found.name, found.root
    match form:
        case "json":
            click.echo(render.as_json(name, root.digest, findings))
        case "sarif":
            click.echo(render.as_sarif(name, __version__, findings))
        case _:
            click.echo(render.as_text(f"{name}  {root.digest}", findings), nl=False)
    return FAILED if any(each.state == "failed" for each in findings) else OK


def _read_key(path: Path) -> PublicKey:
    from exporter.attest.signing.keyfiles import read_public_key

    return read_public_key(path.read_bytes(), origin=str(path))
