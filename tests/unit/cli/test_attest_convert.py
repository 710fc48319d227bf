"""attest convert: the other form of attestations, with images, statements and labels as they were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attested_images import attested, package, slsa, spdx, store_attested

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.store.imagegraph import labels_for, read_document, walk_image
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from command import Command

SAID = (spdx(package("a", "1")), slsa())


def _graph(command: Command, root: str) -> dict[str, Any]:
    """Every document below `root` by its digest, and the root's under `root`."""
    with open_store(command.root) as store:
        image = next(each for each in store.images.all() if each.target.digest == root)
        found = {
            visited.descriptor.digest: store.content.read(visited.descriptor)
            for visited in walk_image(store.content, image.target)
        }
    return {**found, "root": json.loads(found[Digest(root)])}


@pytest.mark.parametrize(("form", "artifact"), [("artifact", True), ("legacy", False)])
def test_the_result_is_what_a_build_in_that_form_would_have_made(
    command: Command, form: str, artifact: bool
) -> None:
    store_attested(command, "app:1", attested(*SAID, artifact=not artifact))
    said = command("attest", "convert", "--to", form, "-t", "other:1", "app:1")
    assert (said.code, said.err) == (0, "")
    assert said.out.strip() == attested(*SAID, artifact=artifact).root.digest


def test_images_and_statements_keep_their_bytes(command: Command) -> None:
    old = store_attested(command, "app:1", attested(*SAID))
    before = _graph(command, old.digest)
    after = _graph(command, command("attest", "convert", "--to", "legacy", "-t", "b:1", "app:1").out.strip())
    assert after["root"]["manifests"][:2] == before["root"]["manifests"][:2]
    layers = [
        [
            layer
            for entry in each["root"]["manifests"][2:]
            for layer in json.loads(each[entry["digest"]])["layers"]
        ]
        for each in (before, after)
    ]
    assert layers[0] == layers[1]
    assert all(layer["digest"] in after for layer in layers[1])


def test_there_and_back_is_the_same_index(command: Command) -> None:
    old = store_attested(command, "app:1", attested(*SAID))
    assert command("attest", "convert", "--to", "legacy", "app:1").out.strip() != old.digest
    assert command("attest", "convert", "--to", "artifact", "app:1").out.strip() == old.digest


def test_an_image_that_has_the_form_only_gets_the_name(command: Command) -> None:
    old = store_attested(command, "app:1", attested(*SAID))
    assert command("attest", "convert", "--to", "artifact", "-t", "b:1", "app:1").out.strip() == old.digest
    with open_store(command.root) as store:
        assert store.images.get("docker.io/library/b:1").target.digest == old.digest


def test_the_result_verifies_and_outlives_a_collection(command: Command) -> None:
    store_attested(command, "app:1", attested(*SAID))
    command("attest", "convert", "--to", "legacy", "app:1")
    assert command("store", "gc").code == 0
    assert command("verify", "app:1").code == 0
    assert command("attest", "show", "app:1").out.count("legacy") == 2


def test_every_new_document_keeps_what_it_points_at(command: Command) -> None:
    store_attested(command, "app:1", attested(*SAID))
    root = command("attest", "convert", "--to", "legacy", "app:1").out.strip()
    with open_store(command.root) as store:
        image = next(each for each in store.images.all() if each.target.digest == root)
        for visited in walk_image(store.content, image.target):
            document, blob = (
                read_document(store.content, visited.descriptor),
                store.content.find(visited.descriptor.digest),
            )
            assert blob is not None
            if document is not None:
                assert labels_for(document).items() <= blob.labels.items()


def test_signatures_over_the_old_index_are_said_not_to_apply(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "x")
    monkeypatch.chdir(tmp_path)
    old = store_attested(command, "app:1", attested(*SAID))
    command("generate-key-pair")
    command("sign", "--key", "cosign.key", "app:1")
    said = command("attest", "convert", "--to", "legacy", "-t", "b:1", "app:1")
    assert f"signatures over {old.digest} do not apply to the new index" in said.err
    # Those over the images of its platforms do: these are the same.
    report = json.loads(command("verify", "--key", "cosign.pub", "--format", "json", "b:1").out)
    signed = {
        each["digest"]
        for each in report["findings"]
        if each["check"] == "signature" and each["state"] == "held"
    }
    images = {each["digest"] for each in _graph(command, said.out.strip())["root"]["manifests"][:2]}
    assert report["verified"]
    assert signed == images


def test_members_that_are_not_known_here_stay_in_the_index(command: Command) -> None:
    made = attested(*SAID)
    index = json.loads(next(each.content for each in made.documents if each.descriptor == made.root))
    index["manifests"][0]["com.example"] = {"b": 1, "a": ["<&>"]}
    content = json.dumps(index).encode()
    store_attested(command, "app:1", made)
    with open_store(command.root) as store, store.lease() as lease:
        assert made.index is not None
        lease.content.put(content, labels=labels_for(made.index))
        root = Descriptor(media_type=made.root.media_type, digest=Digest.of(content), size=len(content))
        store.images.set("docker.io/library/app:1", root)
    root_digest = command("attest", "convert", "--to", "legacy", "app:1").out.strip()
    assert _graph(command, root_digest)["root"]["manifests"][0]["com.example"] == {"b": 1, "a": ["<&>"]}


def test_an_image_without_attestations_is_refused(command: Command) -> None:
    command.make_image("docker.io/library/bare:1")
    said = command("attest", "convert", "--to", "legacy", "bare:1")
    assert (said.code, "has no attestations to convert" in said.err) == (1, True)


def test_a_digest_does_not_say_which_name_shall_change(command: Command) -> None:
    root = store_attested(command, "app:1", attested(*SAID))
    said = command("attest", "convert", "--to", "legacy", root.digest)
    assert (said.code, "needs a name for the result" in said.err) == (2, True)
