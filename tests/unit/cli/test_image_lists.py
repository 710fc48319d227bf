"""images: what the list shows, and which images; inspect by a template."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import encode_document, image_index, image_manifest
from builder.oci.mediatypes import IN_TOTO, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from builder.platforms import Platform
from builder.store.imagegraph import PARTIAL, labels_for, read_index
from builder.store.selection import open_store

if TYPE_CHECKING:
    from command import Command

HELLO = "docker.io/library/hello:1"
BOTH = ("linux/amd64", "linux/arm64")


def listed(command: Command, *words: str) -> list[str]:
    said = command("images", "--format", "{{.Repository}}:{{.Tag}}", *words)
    assert said.code == 0, said.err
    return said.out.splitlines()


def test_a_template_makes_a_line_for_each_image(command: Command) -> None:
    target = command.make_image(HELLO)
    form = "{{.ID}} {{.Digest}} {{.Repository}} {{.Tag}} {{.CreatedAt}} {{.Size}} {{.Platforms}}"
    size = json.loads(command("images", "--format", "json").out)["size"]
    assert command("images", "--format", form).out == (
        f"{target.digest.hex[:12]} {target.digest} hello 1 2026-01-02 03:04:05 +0000 UTC {size}B linux/amd64\n"
    )


def test_a_template_for_a_table_has_dockers_names_of_columns(command: Command) -> None:
    command.make_image(HELLO)
    assert command("images", "--format", r"table {{.Repository}}\t{{.Tag}}").out.splitlines() == [
        "REPOSITORY   TAG",
        "hello        1",
    ]


def test_a_field_that_images_do_not_have_is_an_error(command: Command) -> None:
    command.make_image(HELLO)
    said = command("images", "--format", "{{.Nonsense}}")
    assert said.code != 0 and "Nonsense" in said.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--filter", "reference=hello"), ["hello:1"]),
        (("--filter", "reference=h*:1"), ["hello:1"]),
        (("--filter", "reference=*"), ["hello:1"]),
        (("--filter", "reference=example.org/*/*"), ["example.org/a/b:2"]),
        (("-f", "reference=hello", "-f", "reference=example.org/a/b:2"), ["example.org/a/b:2", "hello:1"]),
        (("hello",), ["hello:1"]),
        (("hello:2",), []),
        (("--filter", "dangling=false"), ["example.org/a/b:2", "hello:1"]),
        (("--filter", "dangling=true"), []),
        (("--filter", "label=none"), []),
        (("--filter", "before=hello:1"), []),
        (("--filter", "since=hello:1"), []),
    ],
)
def test_filters_choose_what_is_shown(command: Command, words: tuple[str, ...], expected: list[str]) -> None:
    command.make_image(HELLO, "example.org/a/b:2")
    assert listed(command, *words) == expected


@pytest.mark.parametrize("word", ["nonsense=1", "dangling", "dangling=perhaps"])
def test_a_filter_that_there_is_not_is_wrong_usage(command: Command, word: str) -> None:
    said = command("images", "--filter", word)
    assert (said.code, "invalid filter" in said.err) == (2, True)


def test_digests_get_a_column_of_their_own(command: Command) -> None:
    target = command.make_image(HELLO)
    header, row = command("images", "--digests").out.splitlines()
    assert "DIGEST" in header and target.digest in row


def test_the_tree_shows_platforms_and_what_is_attested_of_them(command: Command) -> None:
    attested = attest(command, command.make_image(HELLO, platforms=BOTH))
    header, *lines = command("images", "--tree").out.splitlines()
    assert header.split() == ["IMAGE", "ID", "SIZE", "CREATED"]
    assert [re.split(" {2,}(?=[0-9a-f]{12} )", line)[0] for line in lines] == [
        "hello:1",
        "├── linux/amd64",
        "│   └── SBOM",
        "└── linux/arm64",
    ]
    assert attested.hex[:12] in lines[2]


def attest(command: Command, index: Descriptor) -> Digest:
    """Adds a statement about the first image of `index`, and gives the name to that."""
    with open_store(command.root) as store, store.lease() as lease:
        images = read_index(lease.content, index).manifests
        layer = Descriptor(
            media_type=IN_TOTO,
            digest=lease.content.put(b"{}"),
            size=2,
            annotations={"in-toto.io/predicate-type": "https://spdx.dev/Document"},
        )
        config = Descriptor(media_type=OCI_CONFIG, digest=lease.content.put(b"{} "), size=3)
        manifest = image_manifest(config, (layer,))
        encoded = encode_document(manifest)
        digest = lease.content.put(encoded, labels=labels_for(manifest))
        annotations = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": images[0].digest,
        }
        entry = Descriptor(
            media_type=OCI_MANIFEST, digest=digest, size=len(encoded), annotations=annotations
        ).with_platform(Platform(os="unknown", architecture="unknown"))
        whole = image_index((*images, entry))
        root = lease.content.put(encode_document(whole), labels=labels_for(whole))
        store.images.set(
            HELLO, Descriptor(media_type=OCI_INDEX, digest=root, size=len(encode_document(whole)))
        )
    return digest


def test_what_is_not_here_of_an_image_is_said_so(command: Command) -> None:
    index = command.make_image(HELLO, platforms=BOTH)
    with open_store(command.root) as store, store.lease() as lease:
        _, arm = read_index(store.content, index).manifests
        lease.content.update_labels(index.digest, {PARTIAL: "example.org/hello"})
        lease.content.delete(arm.digest)
    assert "linux/amd64 (+1 not here)" in command("images").out
    *_, last = command("images", "--tree").out.splitlines()
    assert last.split() == ["└──", "linux/arm64", arm.digest.hex[:12], "at", "example.org/hello"]


def test_layers_that_are_not_here_are_counted_apart(command: Command) -> None:
    target = command.make_image(HELLO)
    with open_store(command.root) as store, store.lease() as lease:
        lease.content.update_labels(target.digest, {PARTIAL: "example.org/hello"})
        lease.content.delete(Digest.of(b"linux/amd6"))
    assert "(+10B not here)" in command("images").out


def test_inspect_by_a_template_has_dockers_fields(command: Command) -> None:
    target = command.make_image(HELLO, "example.org/a/b:2")
    form = "{{.Id}} {{.Os}}/{{.Architecture}} {{.Config.Cmd}} {{.RepoTags}} {{len .RootFS.Layers}}"
    assert command("inspect", "--format", form, "hello:1").out == (
        f"{target.digest} linux/amd64 [true] [hello:1 example.org/a/b:2] 1\n"
    )


def test_inspect_shows_one_platform_of_an_index(command: Command) -> None:
    index = command.make_image(HELLO, platforms=BOTH)
    with open_store(command.root) as store:
        _, arm = read_index(store.content, index).manifests
    at = ("inspect", "--platform", "linux/arm64")
    assert command(*at, "--format", "{{.Architecture}}", "hello:1").out == "arm64\n"
    assert command(*at, "hello:1").out.splitlines()[1].startswith(f"manifest linux/arm64  {arm.digest}")
    assert Digest.of(command(*at, "--raw", "hello:1").out.encode()) == arm.digest


def test_inspect_of_a_platform_that_is_not_in_the_image_says_so(command: Command) -> None:
    command.make_image(HELLO, platforms=BOTH)
    said = command("inspect", "--platform", "linux/s390x", "hello:1")
    assert (said.code, "no match for platform linux/s390x" in said.err) == (1, True)
