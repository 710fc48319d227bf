"""Values of `--sign` and `--key`: where keys and passphrases are. They are read before any work starts.

A passphrase comes from the environment or from a file, never from the command line, which every process of the
machine can read. Messages name places, never what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.attest.signing.keys import PrivateKey
    from exporter.attest.signing.options import Form, SigningOptions

PASSPHRASE: Final = "COSIGN_PASSWORD"
_FORMS: Final[dict[str, tuple[Form, ...]]] = {
    "all": ("tag", "bundle"),
    "tag": ("tag",),
    "bundle": ("bundle",),
}
FORMATS: Final = tuple(_FORMS)
_ENV: Final = "env://"
_PEM: Final = "-----BEGIN "
_PLACES: Final = "give a file, or env://VARIABLE"
_MAX_FILE: Final = 64 << 10


def signing_options(words: Iterable[str], environ: Mapping[str, str]) -> SigningOptions | None:
    """`--sign` words, `key=FILE|env://VARIABLE[,passphrase=FILE|env://VARIABLE][,format=all|tag|bundle]`.

    None when there are none. Raises: UsageError, InvalidKey.
    """
    parsed = [_fields(word) for word in words]
    if not parsed:
        return None
    formats = {fields.get("format", "all") for fields in parsed}
    if len(formats) > 1:
        raise UsageError("--sign: all keys sign in the same format")
    keys = [(fields["key"], fields.get("passphrase", "")) for fields in parsed]
    return options_for(keys, environ, form=formats.pop())


def options_for(
    keys: Iterable[tuple[str, str]],
    environ: Mapping[str, str],
    *,
    form: str = "all",
    recursive: bool = True,
    flag: str = "--sign",
) -> SigningOptions:
    """Options to sign with `keys`, each with the place of its passphrase, or nothing for COSIGN_PASSWORD.

    `flag` is what messages call the option. Raises: UsageError, InvalidKey.
    """
    from exporter.attest.signing.options import SigningOptions

    if form not in _FORMS:
        raise UsageError(f"{flag}: unknown format {form!r}; there are: {', '.join(_FORMS)}")
    signers = tuple(_private_key(key, passphrase, environ, flag) for key, passphrase in keys)
    return SigningOptions(signers=signers, forms=_FORMS[form], recursive=recursive)


def read_key(place: str, environ: Mapping[str, str], *, flag: str) -> bytes:
    """What is in the file or the variable that `place` names. Raises: UsageError, which shows nothing of it."""
    if _PEM in place:
        raise UsageError(f"{flag}: the key itself stands on the command line", hint=_PLACES)
    return _read(place, environ, f"{flag}: cannot read {place}")


def _private_key(key: str, passphrase: str, environ: Mapping[str, str], flag: str) -> PrivateKey:
    # Loaded here because cryptography takes longer to import than most commands to run.
    from exporter.attest.signing.keyfiles import read_private_key

    def ask() -> bytes:
        if not passphrase:
            return environ.get(PASSPHRASE, "").encode("utf-8", "surrogateescape")
        # The place is not shown: somebody may have written the passphrase there.
        return _read(passphrase, environ, f"{flag}: cannot read the passphrase").removesuffix(b"\n")

    return read_private_key(read_key(key, environ, flag=flag), origin=key, passphrase=ask)


def _read(place: str, environ: Mapping[str, str], failed: str) -> bytes:
    if place.startswith(_ENV):
        value = environ.get(place.removeprefix(_ENV))
        if value is None:
            raise UsageError(f"{failed}: the variable is not set")
        return value.encode("utf-8", "surrogateescape")
    if "://" in place:
        raise UsageError(f"{failed}: there are only files and variables", hint=_PLACES)
    try:
        with Path(place).open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise UsageError(f"{failed}: {reason}", hint=_PLACES) from None
    if len(content) > _MAX_FILE:
        raise UsageError(f"{failed}: it is larger than {_MAX_FILE} bytes")
    return content


def _fields(word: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field in word.split(","):
        name, equals, value = field.partition("=")
        if not equals or name not in ("key", "passphrase", "format"):
            # Not shown: somebody may have written a passphrase here.
            raise UsageError(
                "--sign: expected key=FILE|env://VARIABLE[,passphrase=FILE|env://VARIABLE][,format=FORMAT]"
            )
        fields[name] = value
    if not fields.get("key"):
        raise UsageError("--sign: key=FILE or key=env://VARIABLE is missing")
    return fields
