"""What dockyard signs the real cosign accepts, of both of its lines; what they sign dockyard accepts."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from attested_sample import store_attested
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from builder.api.pushing import push_target
from builder.api.signing import sign_stored
from builder.oci.manifest import decode_index
from builder.oci.reference import parse_reference
from builder.registry.reader import RegistryReader
from exporter.attest.signing.checking import Signature, check_signatures
from exporter.attest.signing.keyfiles import (
    generate_private_key,
    read_private_key,
    read_public_key,
    sealed_pem,
)
from exporter.attest.signing.options import FORMS, Form, SigningOptions
from exporter.attest.signing.places import RegistryPlace
from exporter.attest.signing.signing import signed_subjects

if TYPE_CHECKING:
    from pathlib import Path

    from peers import Served

    from builder.oci.descriptor import Descriptor
    from builder.registry.registries import Registries
    from builder.store.embedded import EmbeddedStore
    from exporter.attest.signing.keys import PrivateKey
    from fixtures.peers.cosign import Cosign

PASSPHRASE = "correct horse"
OFFLINE = ("--insecure-ignore-tlog", "--allow-http-registry")
SLSA, SPDX = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"


class Repository(NamedTuple):
    """An image in a store, and the repository that it goes to."""

    store: EmbeddedStore
    registries: Registries
    name: str
    root: Descriptor

    def push(self) -> None:
        push_target(self.store, self.registries, self.root, parse_reference(self.name))

    def sign(self, *keys: PrivateKey, forms: tuple[Form, ...] = FORMS) -> None:
        options = SigningOptions(signers=keys, forms=forms)
        with self.store.lease() as lease:
            repository = parse_reference(self.name).repository
            sign_stored(lease.content, self.root, options, repository=repository)

    def images(self) -> dict[str, Descriptor]:
        """What cosign can be asked about: the tag, which means the index, and the image of each platform."""
        repository = self.name.rpartition(":")[0]
        index = decode_index(self.store.content.read(self.root), self.root.media_type)
        platforms = {f"{repository}@{each.digest}": each for each in index.manifests[:2]}
        return {self.name: self.root, **platforms}

    def signatures(self, subject: Descriptor, key: PrivateKey) -> tuple[Signature, ...]:
        reference = parse_reference(self.name)
        reader = RegistryReader(self.registries.repository(reference))
        return check_signatures(RegistryPlace(reader, reference), subject, [key.public])


@pytest.fixture
def repository(store: EmbeddedStore, registries: Registries, plain: Served) -> Repository:
    name = f"{plain.host}/team/app:1"
    return Repository(store, registries, name, store_attested(store, name))


def new_key(kind: str) -> PrivateKey:
    raw = (
        ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    )
    pem = raw.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return read_private_key(pem, origin=kind, passphrase=bytes)


def public_file(key: PrivateKey, folder: Path) -> str:
    path = folder / "signer.pub"
    path.write_bytes(key.public.pem)
    return str(path)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_cosign_accepts_the_signatures_and_the_signed_statements(
    cosign: Cosign, repository: Repository, kind: str, tmp_path: Path
) -> None:
    key = new_key(kind)
    repository.sign(key)
    repository.push()
    public = public_file(key, tmp_path)
    for image, described in repository.images().items():
        verified = cosign("verify", "--key", public, *OFFLINE, image)
        assert verified.returncode == 0, verified.stderr
        for predicate in ("slsaprovenance1", "spdxjson"):
            attested = cosign("verify-attestation", "--key", public, *OFFLINE, "--type", predicate, image)
            assert attested.returncode == 0, attested.stderr
            assert all(about(line, described) for line in attested.stdout.splitlines())


def about(envelope: str, image: Descriptor) -> bool:
    statement = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return image.digest.hex in [subject["digest"]["sha256"] for subject in statement["subject"]]


@pytest.mark.parametrize("form", FORMS)
def test_cosign_of_the_newer_line_accepts_each_form_alone(
    cosign: Cosign, repository: Repository, form: Form, tmp_path: Path
) -> None:
    if cosign.suite != "sid" and form == "bundle":
        pytest.skip("cosign 2 wants a trust root from the network for bundles")
    key = new_key("ecdsa-p256")
    repository.sign(key, forms=(form,))
    repository.push()
    public = public_file(key, tmp_path)
    for command in ("verify", "verify-attestation --type spdxjson"):
        verified = cosign(*command.split(), "--key", public, *OFFLINE, repository.name)
        assert verified.returncode == 0, verified.stderr


def test_cosign_refuses_what_another_key_signed(
    cosign: Cosign, repository: Repository, tmp_path: Path
) -> None:
    repository.sign(new_key("ecdsa-p256"))
    repository.push()
    public = public_file(new_key("ecdsa-p256"), tmp_path)
    assert cosign("verify", "--key", public, *OFFLINE, repository.name).returncode != 0


def test_an_image_whose_statements_have_no_subject_can_be_verified_all_the_same(
    cosign: Cosign, store: EmbeddedStore, registries: Registries, plain: Served, tmp_path: Path
) -> None:
    name = f"{plain.host}/team/anonymous:1"
    anonymous = Repository(store, registries, name, store_attested(store, name, anonymous=True))
    key = new_key("ecdsa-p256")
    anonymous.sign(key)
    anonymous.push()
    attested = cosign(
        "verify-attestation", "--key", public_file(key, tmp_path), *OFFLINE, "--type", "spdxjson", name
    )
    assert attested.returncode == 0, attested.stderr


def test_dockyard_accepts_what_cosign_signs_with_a_key_that_dockyard_sealed(
    cosign: Cosign, repository: Repository, tmp_path: Path
) -> None:
    repository.push()
    key = sign_with_cosign(cosign, repository, tmp_path)
    found = repository.signatures(repository.root, key)
    assert [(each.kind, each.holds, each.problem) for each in found if each.kind == "image"] == [
        ("image", True, "")
    ]
    claims = [each.claims for each in found if each.claims is not None]
    assert [(each.predicate_type, each.subjects) for each in claims] == [(SPDX, (repository.root.digest,))]


def test_signatures_of_cosign_and_of_dockyard_stay_side_by_side(
    cosign: Cosign, repository: Repository, tmp_path: Path
) -> None:
    repository.push()
    theirs, ours = sign_with_cosign(cosign, repository, tmp_path), new_key("ecdsa-p256")
    repository.sign(ours)
    repository.push()
    for key in (theirs, ours):
        kinds = {each.kind for each in repository.signatures(repository.root, key) if each.holds}
        assert kinds == {"image", "attestation"}
    older = cosign("verify", "--key", public_file(theirs, tmp_path), *OFFLINE, repository.name)
    assert older.returncode == 0, older.stderr


def test_a_key_pair_of_cosign_is_read_with_its_passphrase(cosign: Cosign, tmp_path: Path) -> None:
    generated = cosign("generate-key-pair", "--output-key-prefix", "pair", passphrase=PASSPHRASE)
    assert generated.returncode == 0, generated.stderr
    private = read_private_key(
        (tmp_path / "cosign/pair.key").read_bytes(), origin="pair.key", passphrase=PASSPHRASE.encode
    )
    assert private.public == read_public_key((tmp_path / "cosign/pair.pub").read_bytes(), origin="pair.pub")


def test_pushing_signatures_again_adds_none(repository: Repository) -> None:
    key = new_key("ecdsa-p256")
    for _ in range(2):
        repository.sign(key)
        repository.push()
    for subject in signed_subjects(repository.store.content, repository.root):
        found = repository.signatures(subject, key)
        assert [each.holds for each in found] == [True] * len(found)
        of_image = [each.form for each in found if each.kind == "image"]
        assert sorted(of_image) == ["bundle", "tag"]


def sign_with_cosign(cosign: Cosign, repository: Repository, folder: Path) -> PrivateKey:
    """Signs and attests the index with a key that dockyard made and sealed; returns the key."""
    key = generate_private_key()
    (folder / "sealed.key").write_bytes(sealed_pem(key, PASSPHRASE.encode()))
    predicate = folder / "predicate.json"
    predicate.write_text(json.dumps({"spdxVersion": "SPDX-2.3", "name": "by cosign"}))
    offline = ["--tlog-upload=false", "--allow-http-registry", "--yes", "--key", str(folder / "sealed.key")]
    if cosign.suite == "sid":
        offline.append("--use-signing-config=false")
    image = f"{repository.name.rpartition(':')[0]}@{repository.root.digest}"
    for arguments in (
        ("sign", *offline, image),
        ("attest", *offline, "--type", "spdxjson", "--predicate", str(predicate), image),
    ):
        done = cosign(*arguments, passphrase=PASSPHRASE)
        assert done.returncode == 0, done.stderr
    return key
