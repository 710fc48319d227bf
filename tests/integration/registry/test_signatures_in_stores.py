"""Signatures stay with their image: in the store, on its way to registries and archives, and until it goes."""

from __future__ import annotations

import json
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest
from attested_sample import PLATFORMS, store_attested
from msgspec.structs import replace

from builder.api.pulling import pull, pull_image
from builder.api.pushing import push_target
from builder.api.signing import adopt_signatures, sign, sign_stored, with_signatures
from builder.api.storage import collect_garbage
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.registry.errors import RegistryError
from builder.registry.reader import RegistryReader
from builder.registry.referrers import fallback_tag, list_referrers
from builder.store.layout.archive import write_archive
from builder.store.layout.importer import load_layout
from builder.store.layout.names import named_entry
from builder.store.layout.reader import open_layout
from builder.store.selection import open_store
from exporter.attest.signing.checking import check_signatures
from exporter.attest.signing.errors import SigningError
from exporter.attest.signing.keyfiles import generate_private_key, sealed_pem
from exporter.attest.signing.options import SigningOptions
from exporter.attest.signing.places import LayoutPlace, RegistryPlace
from exporter.attest.signing.signing import signed_subjects
from exporter.attest.signing.stored import StorePlace, has_signatures

if TYPE_CHECKING:
    from pathlib import Path

    from peers import Served

    from builder.oci.descriptor import Descriptor
    from builder.registry.registries import Registries
    from builder.store.embedded import EmbeddedStore
    from exporter.attest.signing.checking import SignaturePlace
    from tests.integration.conftest import RunDockyard  # type: ignore[import-not-found]

KEY = generate_private_key()
OPTIONS = SigningOptions(signers=(KEY,))
NAME = "docker.io/team/app:1"
SLSA, SPDX = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"


@pytest.fixture
def signed(store: EmbeddedStore) -> Descriptor:
    root = store_attested(store, NAME)
    sign_in(store, root)
    return root


def sign_in(store: EmbeddedStore, root: Descriptor, options: SigningOptions = OPTIONS) -> None:
    with store.lease() as lease:
        sign_stored(lease.content, root, options, repository="docker.io/team/app")


def held(place: SignaturePlace, subject: Descriptor) -> list[tuple[str, str, str]]:
    """Form, kind and predicate type of what holds at `subject`."""
    found = check_signatures(place, subject, [KEY.public])
    assert [each.problem for each in found] == [""] * len(found)
    return sorted((each.form, each.kind, each.claims.predicate_type if each.claims else "") for each in found)


BOTH = [(form, kind, claim) for form in ("bundle", "tag")
        for kind, claim in (("attestation", SLSA), ("attestation", SPDX), ("image", ""))]  # fmt: skip


def test_root_and_images_are_signed_and_their_statements_in_both_forms(
    store: EmbeddedStore, signed: Descriptor
) -> None:
    place = StorePlace(store.content, signed.digest)
    index, *images = signed_subjects(store.content, signed)
    assert len(images) == 2
    assert [held(place, image) for image in images] == [BOTH, BOTH]
    assert set(held(place, index)) == set(BOTH)
    # Statements of both platforms are found at the index.
    assert held(place, index).count(("tag", "attestation", SPDX)) == 2


def test_signing_again_changes_nothing_in_the_store(store: EmbeddedStore, signed: Descriptor) -> None:
    before = sorted(blob.digest for blob in store.content.walk())
    sign_in(store, signed)
    assert sorted(blob.digest for blob in store.content.walk()) == before


def test_signatures_of_two_keys_stand_side_by_side(store: EmbeddedStore, signed: Descriptor) -> None:
    other = generate_private_key()
    sign_in(store, signed, SigningOptions(signers=(other,)))
    place = StorePlace(store.content, signed.digest)
    for key in (KEY, other):
        found = check_signatures(place, signed, [key.public])
        assert {(each.form, each.kind) for each in found if each.holds} == {
            (form, kind) for form in ("tag", "bundle") for kind in ("image", "attestation")
        }


def test_only_the_root_is_signed_when_asked_so(store: EmbeddedStore) -> None:
    root = store_attested(store, NAME)
    sign_in(store, root, replace(OPTIONS, recursive=False))
    place = StorePlace(store.content, root.digest)
    index, *images = signed_subjects(store.content, root)
    assert held(place, index)
    assert [held(place, image) for image in images] == [[], []]


def test_an_image_takes_its_signatures_along_and_not_those_of_another_with_the_same_parts(
    store: EmbeddedStore, registries: Registries, plain: Served, signed: Descriptor
) -> None:
    other = f"{plain.host}/public/other:1"
    twin = store_attested(store, other)
    push_target(store, registries, twin, parse_reference(other))
    reader = RegistryReader(registries.repository(parse_reference(other)))
    shared = signed_subjects(store.content, twin)[1]
    assert shared in signed_subjects(store.content, signed)
    assert check_signatures(RegistryPlace(reader, parse_reference(other)), shared, [KEY.public]) == ()


def test_a_push_under_another_name_takes_signatures_along(
    store: EmbeddedStore, registries: Registries, plain: Served, signed: Descriptor
) -> None:
    name = parse_reference(f"{plain.host}/elsewhere/app:2")
    push_target(store, registries, signed, name)
    place = RegistryPlace(RegistryReader(registries.repository(name)), name)
    for subject in signed_subjects(store.content, signed):
        assert held(place, subject) == held(StorePlace(store.content, signed.digest), subject)


def test_bundles_are_listed_under_the_tag_of_a_registry_without_the_api(
    store: EmbeddedStore, registries: Registries, plain: Served, signed: Descriptor
) -> None:
    name = parse_reference(f"{plain.host}/team/app:1")
    push_target(store, registries, signed, name)
    repository = registries.repository(name)
    reader = RegistryReader(repository)
    assert reader.resolve(replace(name, tag=fallback_tag(signed.digest))).media_type.endswith("index.v1+json")
    listed = list_referrers(repository, signed.digest)
    assert {each.artifact_type for each in listed} == {"application/vnd.dev.sigstore.bundle.v0.3+json"}
    assert len(listed) == 5


def test_a_digest_that_nobody_refers_to_has_no_referrers(registries: Registries, plain: Served) -> None:
    repository = registries.repository(parse_reference(f"{plain.host}/team/app:1"))
    assert list_referrers(repository, Digest.of(b"nobody")) == ()


def test_an_image_that_the_store_lacks_is_signed_at_its_registry(
    store: EmbeddedStore, registries: Registries, plain: Served, tmp_path: Path
) -> None:
    name = f"{plain.host}/team/app:1"
    root = store_attested(store, name)
    push_target(store, registries, root, parse_reference(name))
    signed_image = sign(tmp_path / "empty root", name, OPTIONS)
    assert (signed_image.root.digest, signed_image.at_registry) == (root.digest, True)
    place = RegistryPlace(RegistryReader(registries.repository(parse_reference(name))), parse_reference(name))
    assert [len(held(place, each)) for each in signed_subjects(store.content, root)] == [10, 6, 6]


def test_something_else_in_the_place_of_signatures_is_not_overwritten(
    store: EmbeddedStore, registries: Registries, plain: Served, signed: Descriptor
) -> None:
    name = parse_reference(f"{plain.host}/team/app:1")
    taken = replace(name, tag=f"sha256-{signed.digest.hex}.sig")
    push_target(store, registries, store_attested(store, "docker.io/team/other:1"), taken)
    with pytest.raises((SigningError, RegistryError), match="in the place of signatures"):
        push_target(store, registries, signed, name)


def test_an_archive_brings_signatures_to_another_store(
    store: EmbeddedStore, other_store: EmbeddedStore, signed: Descriptor, tmp_path: Path
) -> None:
    entries = with_signatures(store.content, [named_entry(signed, parse_reference(NAME))])
    with (tmp_path / "app.tar").open("wb") as file:
        write_archive(store.content, entries, file.fileno())
    with open_layout(tmp_path / "app.tar", scratch=tmp_path) as layout:
        assert layout.find(None).digest == signed.digest
        images = load_layout(other_store, layout)
        adopt_signatures(other_store, LayoutPlace(layout), [image.target for image in images])
        for subject in signed_subjects(store.content, signed):
            here = held(StorePlace(store.content, signed.digest), subject)
            assert held(StorePlace(other_store.content, signed.digest), subject) == here
            assert set(held(LayoutPlace(layout), subject)) == set(here)
    assert [image.name for image in images] == [NAME]


def test_a_pull_brings_signatures_when_it_is_asked_to(
    store: EmbeddedStore, registries: Registries, plain: Served, signed: Descriptor, tmp_path: Path
) -> None:
    name = parse_reference(f"{plain.host}/team/app:1")
    push_target(store, registries, signed, name)
    with open_store(tmp_path / "other root") as other:
        pull(other, str(name), platforms=PLATFORMS[:1])
        assert not has_signatures(other.content, signed.digest)
        pull(other, str(name), platforms=PLATFORMS[:1], signatures=True)
        _index, image, absent = signed_subjects(store.content, signed)
        place = StorePlace(other.content, signed.digest)
        assert (set(held(place, image)), held(place, absent)) == (set(BOTH), [])


def test_signatures_that_are_pulled_stand_beside_those_that_are_here(
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    plain: Served,
    signed: Descriptor,
) -> None:
    name = parse_reference(f"{plain.host}/team/app:1")
    push_target(store, registries, signed, name)
    pull_image(other_store, registries, name, platforms=None)
    here = generate_private_key()
    sign_in(other_store, signed, replace(OPTIONS, signers=(here,), forms=("tag",)))
    place = RegistryPlace(RegistryReader(registries.repository(name)), name)
    adopt_signatures(other_store, place, [signed])
    for key in (KEY, here):
        found = check_signatures(StorePlace(other_store.content, signed.digest), signed, [key.public])
        assert any(each.holds and each.form == "tag" for each in found)


def test_signatures_go_with_the_last_name_of_their_image(
    store: EmbeddedStore, signed: Descriptor, tmp_path: Path
) -> None:
    assert has_signatures(store.content, signed.digest)
    collect_garbage(tmp_path / "root")
    assert held(StorePlace(store.content, signed.digest), signed)
    store.images.delete(NAME)
    collect_garbage(tmp_path / "root")
    assert list(store.content.walk()) == []


def test_an_image_of_which_a_platform_is_missing_is_not_half_signed(
    store: EmbeddedStore,
) -> None:
    root = store_attested(store, NAME)
    store.content.delete(signed_subjects(store.content, root)[1].digest)
    with pytest.raises(SigningError, match="pulled for some of its platforms only"):
        sign_in(store, root)


def test_a_build_signs_what_it_pushes_and_leaves_no_key_or_passphrase_anywhere(
    plain: Served, dockyard: RunDockyard, dockyard_root: Path, tmp_path: Path
) -> None:
    passphrase = "canary-battery-staple"
    key = tmp_path / "cosign.key"
    key.write_bytes(sealed_pem(KEY, passphrase.encode()))
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    name = f"{plain.host}/team/built:1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSIGN_PASSWORD", passphrase)
        built = dockyard(
            "--debug", "build", "--platform", "linux/amd64,linux/arm64", "-t", name, "--push",
            "--progress", "plain",
            "--metadata-file", str(tmp_path / "metadata"), "--sign", f"key={key}", str(context),
            "-o", f"type=oci,dest={tmp_path / 'built.tar'}", "-o", "type=image",
        )  # fmt: skip
    assert built.returncode == 0, built.stderr
    with open_store(dockyard_root) as store:
        root = store.images.get(name).target
        place = StorePlace(store.content, root.digest)
        for subject in signed_subjects(store.content, root):
            assert {("tag", "image", ""), ("bundle", "image", "")} <= set(held(place, subject))
    with tarfile.open(tmp_path / "built.tar") as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
    kinds = [entry.get("annotations", {}).get("kind", "bundle") for entry in index["manifests"]]
    assert kinds[0] == "dev.cosignproject.cosign/imageIndex"
    assert kinds.count("dev.cosignproject.cosign/sigs") == 3
    key.unlink()
    shutil.rmtree(context)
    assert leaks(dockyard_root, passphrase) + leaks(tmp_path, passphrase) == []
    assert passphrase not in built.stdout + built.stderr


def leaks(folder: Path, passphrase: str) -> list[Path]:
    """The files below `folder` that have the passphrase or the private key in them."""
    number = KEY._key.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    secrets = (passphrase.encode(), number, number.hex().encode())
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
