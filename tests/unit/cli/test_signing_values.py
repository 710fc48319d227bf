"""`--sign` and `--key`: keys come from files and variables, and no message shows any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.cli.signing_values import options_for, read_key, signing_options
from builder.system.errors import DockyardError, UsageError
from exporter.attest.signing.keyfiles import generate_private_key, sealed_pem

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "canary-battery-staple"
SEALED = sealed_pem(generate_private_key(), PASSPHRASE.encode())


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "cosign.key"
    path.write_bytes(SEALED)
    return str(path)


def test_without_the_flag_nothing_is_signed() -> None:
    assert signing_options((), {}) is None


def test_the_passphrase_is_that_of_cosigns_variable(key: str) -> None:
    options = signing_options([f"key={key}"], {"COSIGN_PASSWORD": PASSPHRASE})
    assert options is not None
    assert (len(options.signers), options.forms, options.recursive) == (1, ("tag", "bundle"), True)


def test_a_key_may_be_in_a_variable_and_its_passphrase_in_another() -> None:
    environment = {"KEY": SEALED.decode(), "PASS": PASSPHRASE}
    options = signing_options(["key=env://KEY,passphrase=env://PASS,format=tag"], environment)
    assert options is not None
    assert options.forms == ("tag",)


def test_the_newline_at_the_end_of_a_passphrase_file_does_not_count(key: str, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    assert options_for([(key, str(tmp_path / "passphrase"))], {}).signers


def test_several_keys_sign_in_one_format(key: str) -> None:
    environment = {"COSIGN_PASSWORD": PASSPHRASE}
    options = signing_options([f"key={key}", f"key={key}"], environment)
    assert options is not None
    assert len(options.signers) == 2
    with pytest.raises(UsageError, match="in the same format"):
        signing_options([f"key={key}", f"key={key},format=tag"], environment)


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("mine.key", "expected key=FILE"),
        ("passphrase=x", "key=FILE or key=env://VARIABLE is missing"),
        ("key=missing.key", "cannot read missing.key: No such file"),
        ("key=env://MISSING", "cannot read env://MISSING: the variable is not set"),
        ("key=awskms:///alias", "cannot read awskms:///alias: there are only files and variables"),
        ("key=env://KEY,format=zip", "unknown format 'zip'; there are: all, tag, bundle"),
        ("key=env://KEY,passphrase=env://MISSING", "cannot read the passphrase: the variable is not set"),
    ],
)
def test_a_wrong_word_is_refused_with_its_reason(word: str, problem: str) -> None:
    with pytest.raises(UsageError, match=f"--sign: {problem}"):
        signing_options([word], {"KEY": SEALED.decode()})


@pytest.mark.parametrize(
    "word",
    [
        f"key=env://KEY,passphrase={PASSPHRASE}",
        f"key=env://KEY,{PASSPHRASE}",
        f"key=env://KEY,password={PASSPHRASE}",
        f"key=env://KEY,passphrase=pass://{PASSPHRASE}",
        f"key=env://KEY,passphrase=\0{PASSPHRASE}",
        "key=env://KEY,passphrase=env://WRONG",
        "key=env://BROKEN",
    ],
)
def test_no_error_shows_a_passphrase_even_where_none_should_be_written(word: str) -> None:
    wrong = f"{PASSPHRASE}-wrong"
    environment = {"KEY": SEALED.decode(), "WRONG": wrong, "BROKEN": SEALED.decode()[:-60] + PASSPHRASE}
    with pytest.raises(DockyardError) as caught:
        signing_options([word], environment)
    assert "canary" not in f"{caught.value}{caught.value!r}{caught.value.__cause__}"


def test_a_key_on_the_command_line_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match="the key itself stands on the command line") as caught:
        read_key(SEALED.decode(), {}, flag="--key")
    assert SEALED.decode()[60:80] not in str(caught.value)
