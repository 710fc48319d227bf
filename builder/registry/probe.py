"""Will this registry take what is going to be built? Asked before the first step, not after the last.

Whether it lets us push is found out by opening an upload, and cancelling it. What kinds of documents it
takes is found out by offering one that points at a blob which does not exist: a registry that knows the kind
says that the blob is missing, one that does not says that the document is invalid. Nothing is kept either
way; should a registry take the document, it is deleted again. What cannot be known stays unknown, and is no
reason to refuse.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from builder.oci.descriptor import Descriptor, PlatformObject
from builder.oci.digest import Digest
from builder.oci.manifest import Index, Manifest, encode_document
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.registry.errors import NotFound, Refusal, RegistryError
from builder.registry.refusals import messages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.registry.repository import Repository

Feature: TypeAlias = Literal["index", "zstd", "artifact"]

EMPTY: Final = "application/vnd.oci.empty.v1+json"
_ABSENT: Final = Digest.of(b"a blob that nobody has")
_ACCEPTED: Final = frozenset({202})
_ANSWERS: Final = frozenset({200, 201, 202, 400, 404, 405, 412, 415, 422})
_KEPT: Final = frozenset({200, 201, 202})
_GONE: Final = frozenset({200, 202, 204})
_UNKNOWN_KIND: Final = frozenset({"MANIFEST_INVALID", "UNSUPPORTED"})
_MISSING: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
_NAMES: Final[dict[Feature, tuple[str, str]]] = {
    "index": (
        "image indexes, which several platforms or attestations need",
        "push one platform without attestations",
    ),
    "zstd": ("layers compressed with zstd", "use compression=gzip"),
    "artifact": (
        "manifests with a subject and an empty config",
        "use oci-artifact=false, the older form of attestations",
    ),
}


class Refused(Refusal):
    """The registry does not take what the build will make."""


def require_push(repository: Repository) -> None:
    """Raises: Unauthorized, Denied, Unreachable and other kinds of RegistryError if a push would fail."""
    try:
        answer = repository.push("POST", "blobs/uploads/", body=b"", expect=_ACCEPTED)
    except Refusal as error:
        raise type(error)(
            f"cannot push to {repository.name}: {error.message}", hint=error.hint or _no_push_hint(error)
        ) from error
    with answer:
        location = repository.target.locate(answer)
    # Many registries forget uploads by themselves and do not know how to do it at once.
    with suppress(RegistryError):
        repository.push("DELETE", location, expect=_GONE, once=True).close()


def require_features(repository: Repository, features: Iterable[Feature]) -> None:
    """Raises: Refused, with a way out, for the first of `features` that the registry is known not to take."""
    for feature in features:
        if takes(repository, feature) is False:
            what, way_out = _NAMES[feature]
            raise Refused(f"{repository.name} does not take {what}", hint=way_out)


def takes(repository: Repository, feature: Feature) -> bool | None:
    """Whether the registry takes documents of this kind; None: it does not say.

    Raises: RegistryError when it cannot be asked.
    """
    document, media_type = _sample(feature)
    digest = Digest.of(document)
    path = f"manifests/{digest}"
    with repository.push(
        "PUT", path, headers={"Content-Type": media_type}, body=document, expect=_ANSWERS
    ) as answer:
        status = answer.status
        codes = {each.code for each in messages(answer)}
    if status in _KEPT:
        with suppress(RegistryError):
            repository.push("DELETE", path, expect=_GONE, once=True).close()
        return True
    if codes & _MISSING:
        return True
    return False if status == 415 or codes & _UNKNOWN_KIND else None


def _no_push_hint(error: Refusal) -> str | None:
    return "is it a mirror, which only gives?" if type(error) in (Refusal, NotFound) else None


def _sample(feature: Feature) -> tuple[bytes, str]:
    if feature == "index":
        entry = msgspec.structs.replace(
            _absent(OCI_MANIFEST), platform=PlatformObject(architecture="amd64", os="linux")
        )
        return encode_document(Index(schema_version=2, media_type=OCI_INDEX, manifests=(entry,))), OCI_INDEX
    if feature == "zstd":
        manifest = Manifest(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=_absent(OCI_CONFIG),
            layers=(_absent(f"{OCI_LAYER}+zstd"),),
        )
        return encode_document(manifest), OCI_MANIFEST
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type="application/vnd.in-toto+json",
        config=_absent(EMPTY),
        layers=(_absent("application/vnd.in-toto+json"),),
        subject=_absent(OCI_MANIFEST),
    )
    return encode_document(manifest), OCI_MANIFEST


def _absent(media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=_ABSENT, size=22)
