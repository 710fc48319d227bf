"""`dockyard verify`: whether an image is whole, what is said about it is about it, and who signed it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from builder.cli.later import refused_option
from builder.cli.report import FAILED, OK
from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.oci.descriptor import Descriptor
    from exporter.attest.signing.checking import SignaturePlace
    from exporter.attest.signing.keys import PublicKey

_LAYOUT: Final = "oci-layout:"


@click.command("verify", params=[refused_option("--policy", help="Rules that the image must satisfy.")])
@click.option(
    "--key", "keys", metavar="FILE", multiple=True, help="A public key; one of them must have signed."
)
@click.option("--platform", "platforms", metavar="LIST", multiple=True, help="Platforms that must be there.")
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
    platforms: tuple[str, ...],
    form: str,
    driver: str | None,
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
        found = _find(settings, image, driver, stack)
        findings = verify_image(
            found.place.reader,
            found.root,
            place=found.place,
            keys=allowed,
            platforms=wanted,
            elsewhere=found.elsewhere,
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


class _Found(NamedTuple):
    """What to call the image, its root, where its blobs and signatures are, and the repository of the rest."""

    name: str
    root: Descriptor
    place: SignaturePlace
    elsewhere: str = ""


def _find(settings: Settings, image: str, driver: str | None, stack: ExitStack) -> _Found:
    from builder.cli.image_names import find_image
    from builder.store.layout.reader import open_layout
    from exporter.attest.signing.places import LayoutPlace

    if image.startswith(_LAYOUT) or image.endswith(".tar"):
        path, tag = _split(image.removeprefix(_LAYOUT))
        reader = stack.enter_context(open_layout(Path(path), scratch=settings.root))
        return _Found(image, reader.find(tag), LayoutPlace(reader))
    service = stack.enter_context(open_images(settings, driver))
    found = find_image(service.images, image)
    opened = stack.enter_context(service.reading(found))
    return _Found(found.name, opened.root, opened.signatures(), opened.elsewhere)


def _split(text: str) -> tuple[str, str | None]:
    """A path and the tag behind it; a colon that is part of the path stays there."""
    if os.path.exists(text):
        return text, None
    path, colon, tag = text.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (text, None)


def _read_key(path: Path) -> PublicKey:
    from exporter.attest.signing.keyfiles import read_public_key

    return read_public_key(path.read_bytes(), origin=str(path))
