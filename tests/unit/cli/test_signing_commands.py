"""sign, generate-key-pair: signatures that stay with their image, and keys that nobody overwrites."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.store.selection import open_store
from exporter.attest.signing.checking import check_signatures
from exporter.attest.signing.keyfiles import read_private_key, read_public_key
from exporter.attest.signing.signing import signed_subjects
from exporter.attest.signing.stored import StorePlace

if TYPE_CHECKING:
    from command import Command

HELLO = "docker.io/library/hello:1"
PASSPHRASE = "canary-battery-staple"


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", PASSPHRASE)
    monkeypatch.chdir(tmp_path)


def test_a_pair_is_made_whose_private_half_is_sealed_and_private(command: Command) -> None:
    said = command("generate-key-pair")
    assert (said.code, said.out.splitlines()) == (
        0,
        ["Private key written to cosign.key", "Public key written to cosign.pub"],
    )
    private, public = Path("cosign.key"), Path("cosign.pub")
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_text().startswith("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    key = read_private_key(private.read_bytes(), origin="", passphrase=PASSPHRASE.encode)
    assert key.public == read_public_key(public.read_bytes(), origin="")


@pytest.mark.parametrize("name", ["mine.key", "mine.pub"])
def test_no_key_is_overwritten_and_no_half_of_a_pair_is_made(command: Command, name: str) -> None:
    Path(name).write_text("mine")
    said = command("generate-key-pair", "--output-key-prefix", "mine")
    assert (said.code, f"{name} is there already" in said.err) == (1, True)
    assert [path.name for path in Path().glob("mine.*")] == [name]
    assert Path(name).read_text() == "mine"


def test_without_a_passphrase_and_somebody_to_ask_no_key_is_made(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSIGN_PASSWORD")
    said = command("generate-key-pair")
    assert (said.code, "set COSIGN_PASSWORD" in said.err) == (2, True)
    assert list(Path().glob("cosign.*")) == []


def test_signing_says_what_it_signed_and_keeps_the_signatures(command: Command) -> None:
    command("generate-key-pair")
    target = command.make_image(HELLO, platforms=("linux/amd64", "linux/arm64"))
    said = command("sign", "--key", "cosign.key", "hello:1")
    assert said.code == 0, said.err
    with open_store(command.root) as store:
        subjects = signed_subjects(store.content, target)
        assert said.out.splitlines() == [f"signed {subject.digest}" for subject in subjects]
        place = StorePlace(store.content, target.digest)
        key = read_public_key(Path("cosign.pub").read_bytes(), origin="cosign.pub")
        assert all(each.holds for subject in subjects for each in check_signatures(place, subject, [key]))
        assert [image.name for image in store.images.all()] == [HELLO]


def test_signing_without_a_key_is_wrong_usage(command: Command) -> None:
    said = command("sign", "hello:1")
    assert (said.code, "nothing to sign with" in said.err) == (2, True)


def test_a_wrong_passphrase_ends_in_words_that_do_not_show_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("generate-key-pair")
    command.make_image(HELLO)
    monkeypatch.setenv("COSIGN_PASSWORD", f"{PASSPHRASE}-wrong")
    said = command("sign", "--key", "cosign.key", "hello:1")
    assert (said.code, "the passphrase is wrong" in said.err) == (1, True)
    assert "canary" not in said.out + said.err


def test_an_image_is_loaded_without_the_signatures_that_are_damaged_in_the_archive(
    command: Command, tmp_path: Path
) -> None:
    command("generate-key-pair")
    command.make_image(HELLO)
    command("sign", "--key", "cosign.key", "hello:1")
    command("save", "-o", "signed.tar", "hello:1")
    damage_last_entry(Path("signed.tar"))

    elsewhere = command.on(tmp_path / "elsewhere")
    said = elsewhere("load", "-i", "signed.tar")

    assert (said.code, said.out) == (0, "Loaded image: hello:1\n")
    assert said.err.startswith(f"WARNING: signatures over {HELLO} were left out: ")


def damage_last_entry(path: Path) -> None:
    """Changes a byte of what the last entry of the archive's index points at: signatures stand behind images."""
    with tarfile.open(path) as archive:
        listed = archive.extractfile("index.json")
        assert listed is not None
        entry = json.load(listed)["manifests"][-1]
        place = archive.getmember(f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}").offset_data
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"[")
