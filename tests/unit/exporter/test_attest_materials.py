"""Materials: what a result was really made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attested import BASE, INDEX, image
from made import AMD64, ARM64

from builder.graph import (
    Copy,
    Description,
    File,
    Git,
    Http,
    Target,
    vertex,
)
from builder.oci.config import scratch_config
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.source.images import Meaning
from exporter.attest.provenance.materials import materials_of

if TYPE_CHECKING:
    from builder.graph import Vertex
    from builder.platforms import Platform

COMMIT = "7" * 40


def meaning(
    name: str, *, platform: Platform = AMD64, root: Digest = INDEX, manifest: Digest = BASE
) -> Meaning:
    return Meaning(reference=parse_reference(name), platform=platform, root=root, manifest=manifest)


def target(root: Vertex | None, platform: Platform = AMD64) -> Target:
    return Target(platform=platform, vertex=root, config=scratch_config(platform))


def found(
    root: Vertex | None, *meanings: Meaning, remotes: dict[Any, str] | None = None
) -> list[tuple[str, dict[str, str]]]:
    chosen = target(root)
    listed = materials_of(chosen, [chosen], meanings=meanings, remotes=remotes or {})
    return [(each.uri, each.digest) for each in listed]


def test_an_image_is_listed_with_the_digest_that_its_name_stood_for() -> None:
    pinned = image(f"alpine:3@{BASE}")
    assert found(pinned, meaning("alpine:3")) == [
        ("pkg:docker/alpine@3?platform=linux%2Famd64", {"sha256": INDEX.hex})
    ]


def test_an_image_of_a_graph_that_was_never_looked_up_is_listed_by_its_manifest() -> None:
    assert found(image()) == [("pkg:docker/alpine@3?platform=linux%2Famd64", {"sha256": BASE.hex})]


def test_an_image_that_gave_nothing_but_its_config_is_listed_too() -> None:
    assert [uri for uri, _ in found(None, meaning("empty:1"))] == [
        "pkg:docker/empty@1?platform=linux%2Famd64"
    ]


def test_an_image_that_every_platform_has_is_listed_for_its_own_alone() -> None:
    other = Digest.of(b"other")
    meanings = [meaning("e:1"), meaning("e:1", platform=ARM64, manifest=other)]
    targets = [target(None), target(None, ARM64)]
    listed = [materials_of(each, targets, meanings=meanings, remotes={}) for each in targets]
    assert [[each.uri for each in found] for found in listed] == [
        ["pkg:docker/e@1?platform=linux%2Famd64"], ["pkg:docker/e@1?platform=linux%2Farm64"],
    ]  # fmt: skip


def test_a_name_that_is_a_digest_is_left_out_beside_the_tag_of_the_same_image() -> None:
    both = (meaning("e:1"), meaning(f"e@{INDEX}"))
    assert [uri for uri, _ in found(None, *both)] == ["pkg:docker/e@1?platform=linux%2Famd64"]


def test_sources_of_the_network_are_listed_with_what_they_were_found_to_be() -> None:
    git = Git(remote="https://me:hunter2@h/r.git", ref="refs/tags/v1", subdirectory="sub")
    http = Http(url="https://h/f.tgz", filename="f.tgz")
    sources = [vertex(each, description=Description(name="source")) for each in (git, http)]
    actions = tuple(Copy(input=n, sources=("/",), destination="/") for n in range(2))
    root = vertex(File(base=None, actions=actions), *sources, description=Description(name="ADD"))
    assert found(root, remotes={git: COMMIT, http: str(BASE)}) == [
        ("https://xxxxx@h/r.git#refs/tags/v1", {"sha1": COMMIT}),
        ("https://h/f.tgz", {"sha256": BASE.hex}),
    ]
