"""Which repository may lend a blob: one of the same registry, with the nearest name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pictures import describe

from builder.oci.mediatypes import OCI_LAYER
from builder.oci.reference import parse_reference
from builder.registry.sources import lenders, note_source

if TYPE_CHECKING:
    from builder.registry.registries import Registries
    from builder.registry.repository import Repository
    from builder.store.protocol import Lease

BLOB = describe(b"a layer", OCI_LAYER)


def opened(registries: Registries, *names: str) -> list[Repository]:
    return [registries.repository(parse_reference(name)) for name in names]


def test_sources_are_remembered_as_containerd_does(lease: Lease, registries: Registries) -> None:
    lease.content.put(b"a layer")
    for repository in opened(registries, "reg.example:5000/a/b", "busybox", "reg.example:5000/c"):
        note_source(lease.content, [BLOB], repository)

    found = lease.content.find(BLOB.digest)
    assert found is not None
    assert found.labels == {
        "containerd.io/distribution.source.reg.example": "a/b,c",
        "containerd.io/distribution.source.docker.io": "library/busybox",
    }


def test_the_repository_with_the_nearest_name_lends(lease: Lease, registries: Registries) -> None:
    lease.content.put(b"a layer")
    names = ("reg.example/x/y", "reg.example/team/base", "reg.example/other", "elsewhere.example/team/app")
    for repository in opened(registries, *names):
        note_source(lease.content, [BLOB], repository)
    (target,) = opened(registries, "reg.example/team/app")

    assert list(lenders(lease.content, BLOB.digest, target)) == ["team/base"]


def test_a_repository_does_not_lend_to_itself(lease: Lease, registries: Registries) -> None:
    lease.content.put(b"a layer")
    (target,) = opened(registries, "reg.example/a")
    note_source(lease.content, [BLOB], target)

    assert list(lenders(lease.content, BLOB.digest, target)) == []


def test_a_blob_that_is_not_here_has_no_lenders(lease: Lease, registries: Registries) -> None:
    (target,) = opened(registries, "reg.example/a")

    note_source(lease.content, [BLOB], target)
    assert list(lenders(lease.content, BLOB.digest, target)) == []
