"""Before a build: what a registry will not take is known, and nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_registry import Handler, TinyRegistry, refused, when

from builder.registry.errors import Denied, Refusal
from builder.registry.probe import Feature, Refused, require_features, require_push, takes

if TYPE_CHECKING:
    from builder.registry.repository import Repository

FEATURES: tuple[Feature, ...] = ("index", "zstd", "artifact")


def test_a_registry_that_lets_us_push_is_left_as_it_was(tiny: TinyRegistry, repository: Repository) -> None:
    require_push(repository)

    assert [method for method, _ in tiny.requests] == ["POST", "DELETE"]
    assert (tiny.blobs, tiny.manifests) == ({}, {})


def test_a_registry_that_does_not_let_us_push_says_so(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [when("POST", "uploads", refused(403, "DENIED"))]

    with pytest.raises(Denied, match=f"cannot push to {tiny.host}/a/b"):
        require_push(repository)


def test_a_mirror_that_only_gives_is_recognised(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [when("POST", "uploads", refused(405, "UNSUPPORTED"))]

    with pytest.raises(Refusal) as caught:
        require_push(repository)
    assert "mirror" in str(caught.value)


@pytest.mark.parametrize("feature", FEATURES)
def test_a_registry_that_only_misses_the_blob_knows_the_kind(
    tiny: TinyRegistry, repository: Repository, feature: Feature
) -> None:
    tiny.misbehave = [when("PUT", "manifests", refused(404, "MANIFEST_BLOB_UNKNOWN"))]

    assert takes(repository, feature) is True


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize(("status", "code"), [(400, "MANIFEST_INVALID"), (415, ""), (405, "UNSUPPORTED")])
def test_a_registry_that_does_not_know_the_kind_is_refused_with_a_way_out(
    tiny: TinyRegistry, repository: Repository, feature: Feature, status: int, code: str
) -> None:
    tiny.misbehave = [when("PUT", "manifests", refused(status, code))]

    with pytest.raises(Refused) as caught:
        require_features(repository, [feature])
    assert caught.value.hint


def test_a_registry_that_takes_anything_gets_its_sample_removed(
    tiny: TinyRegistry, repository: Repository
) -> None:
    deleted: list[str] = []

    def delete(handler: Handler) -> None:
        deleted.append(handler.path)
        handler.reply(202)

    tiny.misbehave = [when("DELETE", "manifests", delete)]

    assert takes(repository, "index") is True
    assert deleted == tiny.asked("PUT", "manifests")


def test_what_a_registry_does_not_say_is_no_reason_to_refuse(
    tiny: TinyRegistry, repository: Repository
) -> None:
    tiny.misbehave = [when("PUT", "manifests", refused(400, "NAME_INVALID"))]

    assert takes(repository, "index") is None
