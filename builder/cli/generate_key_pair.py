"""`dockyard generate-key-pair`: a key to sign with, in the form of cosign's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from builder.cli.signing_values import PASSPHRASE
from builder.system.errors import DockyardError, UsageError


class KeyExists(DockyardError):
    """A file that would be overwritten."""


@click.command("generate-key-pair")
@click.option(
    "--output-key-prefix",
    "prefix",
    metavar="PATH",
    default="cosign",
    help="Writes PATH.key and PATH.pub [cosign].",
)
def command(prefix: str) -> None:
    """Make a key pair for ECDSA P-256, as cosign does, the private key behind a passphrase.

    The passphrase is that of COSIGN_PASSWORD; without it, it is asked for.
    """
    from exporter.attest.signing.keyfiles import generate_private_key, sealed_pem

    private, public = Path(f"{prefix}.key"), Path(f"{prefix}.pub")
    for path in (private, public):
        if path.exists():
            raise KeyExists(f"{path} is there already", hint="choose another name with --output-key-prefix")
    key = generate_private_key()
    _write(private, sealed_pem(key, _passphrase()), mode=0o600)
    _write(public, key.public.pem, mode=0o644)
    click.echo(f"Private key written to {private}\nPublic key written to {public}")


def _passphrase() -> bytes:
    found = os.environ.get(PASSPHRASE)
    if found is None:
        if not sys.stdin.isatty():
            raise UsageError(f"no passphrase: set {PASSPHRASE}, which may be empty")
        found = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, default="", err=True)
    return str(found).encode("utf-8", "surrogateescape")


def _write(path: Path, content: bytes, *, mode: int) -> None:
    # Exclusively: nobody's key is overwritten, and nobody reads it before it has its mode.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
