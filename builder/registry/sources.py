"""Which repositories have a blob: remembered with the blob, so that a registry can take it from there.

The labels are containerd's, and so are the rules: the name of a registry stands there without its port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.registry.repository import Repository
    from builder.store.protocol import Blob, ContentWriter

_SOURCE: Final = "containerd.io/distribution.source."
_MAX_SOURCES: Final = 20


def note_source(content: ContentWriter, blobs: Iterable[Descriptor], repository: Repository) -> None:
    """Remembers that `repository` has these blobs, as containerd does, so that it may lend them to others."""
    label = _label(repository)
    for blob in blobs:
        found = content.find(blob.digest)
        if found is not None:
            known = _sources(found, label)
            if repository.path not in known:
                content.update_labels(
                    blob.digest, {label: ",".join([*known, repository.path][-_MAX_SOURCES:])}
                )


def lenders(content: ContentWriter, digest: Digest, repository: Repository) -> Sequence[str]:
    """The other repository of the same registry that most likely has the blob: the one with the nearest name."""
    found = content.find(digest)
    known = _sources(found, _label(repository)) if found is not None else []
    others = [each for each in known if each != repository.path]
    wanted = repository.path.split("/")
    return sorted(others, key=lambda each: _common(each.split("/"), wanted))[-1:]


def _label(repository: Repository) -> str:
    host, _, port = repository.domain.rpartition(":")
    return _SOURCE + (host if port.isdecimal() else repository.domain)


def _sources(blob: Blob, label: str) -> list[str]:
    return [each for each in blob.labels.get(label, "").split(",") if each]


def _common(one: list[str], other: list[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (left, right) in pairs if left != right), min(len(one), len(other)))
