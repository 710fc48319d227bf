"""`dockyard sign`: signatures over an image, in the forms that cosign finds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from builder.cli.signing_values import FORMATS, options_for
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("sign")
@click.option(
    "--key", "keys", metavar="FILE|env://VAR", multiple=True, help="Key to sign with; may be repeated."
)
@click.option(
    "--passphrase",
    metavar="FILE|env://VAR",
    default="",
    help="Where the keys' passphrase is [COSIGN_PASSWORD].",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="all", help="How signatures are kept.")
@click.option(
    "--recursive/--no-recursive", default=True, help="Sign the image of each platform, too [default: yes]."
)
@click.option("--push", is_flag=True, help="Send the signatures to the registry of the image.")
@click.argument("image")
@click.pass_obj
def command(
    settings: Settings,
    /,
    image: str,
    keys: tuple[str, ...],
    passphrase: str,
    form: str,
    *,
    recursive: bool,
    push: bool,
) -> None:
    """Sign IMAGE and the statements in its index.

    Signatures over an image of the store stay in the store until it is pushed. An image that the store does not
    have is signed at its registry.
    """
    if not keys:
        raise UsageError("nothing to sign with", hint="--key FILE, for example of `cosign generate-key-pair`")
    options = options_for(
        ((key, passphrase) for key in keys), os.environ, form=form, recursive=recursive, flag="--key"
    )
    from builder.api.signing import sign
    from builder.store.selection import environment_address

    signed = sign(settings.root, image, options, push=push, address=environment_address(os.environ))
    for digest in signed.subjects:
        click.echo(f"signed {digest}")
