"""What may go wrong between us and a registry: it ends well, or in one clear message with a sound store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faulty_proxy import FaultyProxy, cut_answer, cut_request, overload, spoil, stall, when
from msgspec.structs import replace

from builder.api.pulling import pull_image
from builder.api.pushing import push_target
from builder.oci.reference import Reference, parse_reference
from builder.registry.errors import Interrupted, Unavailable, WrongContent
from builder.registry.registries import Registries
from builder.store.check import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore


@pytest.fixture
def pushed(faulty: FaultyProxy, store: EmbeddedStore, registries: Registries, image: Descriptor) -> Reference:
    """The name of the image, at the registry behind the faults."""
    reference = parse_reference(f"{faulty.host}/a/b:1")
    push_target(store, registries, image, reference)
    return reference


@pytest.fixture
def impatient(environment: dict[str, str], registries: Registries) -> Iterator[Registries]:
    with Registries(environment, limits=replace(registries.limits, silence=0.3)) as opened:
        yield opened


def is_sound(store: EmbeddedStore) -> bool:
    return check(store.root, store.database, verify=True) == []


def test_a_download_that_is_cut_goes_on(
    faulty: FaultyProxy, other_store: EmbeddedStore, registries: Registries, pushed: Reference
) -> None:
    faulty.faults = [when("GET", "/blobs/", cut_answer, times=4)]

    pull_image(other_store, registries, pushed, platforms=None)
    assert is_sound(other_store)


def test_a_download_that_stands_still_goes_on(
    faulty: FaultyProxy, other_store: EmbeddedStore, impatient: Registries, pushed: Reference
) -> None:
    faulty.faults = [when("GET", "/blobs/", stall)]

    pull_image(other_store, impatient, pushed, platforms=None)
    assert is_sound(other_store)


def test_an_upload_that_is_cut_is_completed(
    faulty: FaultyProxy, store: EmbeddedStore, registries: Registries, image: Descriptor
) -> None:
    faulty.faults = [when("PUT", "/uploads/", cut_request, times=2)]

    done = push_target(store, registries, image, parse_reference(f"{faulty.host}/a/b:1"))
    assert len(done.sent) == 3


def test_an_upload_that_gets_no_answer_is_completed(
    faulty: FaultyProxy, store: EmbeddedStore, impatient: Registries, image: Descriptor
) -> None:
    faulty.faults = [when("PUT", "/uploads/", stall)]

    done = push_target(store, impatient, image, parse_reference(f"{faulty.host}/a/b:1"))
    assert len(done.sent) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_registry_that_is_overloaded_for_a_while_gets_everything(
    faulty: FaultyProxy, store: EmbeddedStore, registries: Registries, image: Descriptor, status: int
) -> None:
    faulty.faults = [
        when(method, part, overload(status))
        for method, part in [("HEAD", "/blobs/"), ("POST", ""), ("PUT", "/uploads/"), ("PUT", "/manifests/")]
    ]

    done = push_target(store, registries, image, parse_reference(f"{faulty.host}/a/b:1"))
    assert len(done.sent) == 3


def test_a_registry_that_is_overloaded_for_good_is_given_up(
    faulty: FaultyProxy, other_store: EmbeddedStore, registries: Registries, pushed: Reference
) -> None:
    faulty.faults = [when("GET", "/blobs/", overload(503), times=1000)]

    with pytest.raises(Unavailable, match="503"):
        pull_image(other_store, registries, pushed, platforms=None)
    assert other_store.images.all() == ()
    assert is_sound(other_store)


def test_a_blob_with_wrong_bytes_is_not_kept(
    faulty: FaultyProxy, other_store: EmbeddedStore, registries: Registries, pushed: Reference
) -> None:
    faulty.faults = [when("GET", "/blobs/", spoil, times=1000)]

    with pytest.raises(WrongContent, match=faulty.host):
        pull_image(other_store, registries, pushed, platforms=None)
    assert other_store.images.all() == ()
    assert is_sound(other_store)


def test_a_manifest_with_wrong_bytes_is_not_believed(
    faulty: FaultyProxy, other_store: EmbeddedStore, registries: Registries, pushed: Reference
) -> None:
    faulty.faults = [when("GET", "/manifests/", spoil, times=1000)]

    with pytest.raises(WrongContent, match="other bytes"):
        pull_image(other_store, registries, pushed, platforms=None)


def test_a_manifest_that_never_ends_properly_is_given_up(
    faulty: FaultyProxy, other_store: EmbeddedStore, registries: Registries, pushed: Reference
) -> None:
    def truncate(handler: object) -> None:
        handler.forward(receive=0)  # type: ignore[attr-defined]

    faulty.faults = [when("GET", "/manifests/", truncate, times=1000)]

    with pytest.raises(Interrupted):
        pull_image(other_store, registries, pushed, platforms=None)
    assert is_sound(other_store)
