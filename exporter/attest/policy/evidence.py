"""What rules are judged on: an image as verification has read it, with what its statements say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index
from exporter.attest.policy.provenance import TYPES, Provenance, read_provenance
from exporter.attest.policy.sbom import Sbom, read_sbom
from exporter.attest.signing.checking import SignaturePlace
from exporter.attest.verify.finding import Spot
from exporter.attest.verify.graph import Graph, ImageEntry
from exporter.attest.verify.predicates import SPDX
from exporter.attest.verify.statements import Statement


class Said(msgspec.Struct, frozen=True):
    """A statement with its predicate: None for kinds that no rule looks into, and where a `problem` says why."""

    statement: Statement
    predicate: Provenance | Sbom | None = None
    problem: str = ""

    @property
    def spot(self) -> Spot:
        """Where findings about it belong."""
        return self.statement.spot


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """An image. `signatures` is where those over it are; `now` is the time of the judgement."""

    root: Descriptor
    indexes: tuple[tuple[Descriptor, Index], ...]
    images: tuple[ImageEntry, ...]
    said: tuple[Said, ...]
    signatures: Callable[[], SignaturePlace]
    now: datetime

    def about(self, image: ImageEntry) -> tuple[Said, ...]:
        """What is said about one image."""
        return tuple(each for each in self.said if each.statement.image.digest == image.descriptor.digest)

    def provenance(self, image: ImageEntry) -> Iterator[tuple[Spot, Provenance]]:
        """All provenance of one image, with where it stands."""
        for each in self.about(image):
            if isinstance(each.predicate, Provenance):
                yield each.spot, each.predicate

    def sboms(self, image: ImageEntry) -> Iterator[tuple[Spot, Sbom]]:
        """All SBOMs of one image, those of stages and contexts among them, with where they stand."""
        for each in self.about(image):
            if isinstance(each.predicate, Sbom):
                yield each.spot, each.predicate


def gather(
    root: Descriptor,
    graph: Graph,
    statements: Iterable[Statement],
    *,
    signatures: Callable[[], SignaturePlace],
    now: datetime,
) -> Evidence:
    """What verification has read of the image below `root`."""
    return Evidence(
        root=root,
        indexes=tuple(graph.indexes),
        images=tuple(graph.images),
        said=tuple(map(read_said, statements)),
        signatures=signatures,
        now=now,
    )


def spot_of(image: ImageEntry) -> Spot:
    """Where findings about an image of one platform belong."""
    return Spot(image.descriptor.digest, image.platform)


def read_said(statement: Statement) -> Said:
    """`statement` with its predicate, if a rule could look into it."""
    claims = statement.claims
    try:
        if claims.predicate_type in TYPES:
            return Said(statement, read_provenance(claims.predicate_type, claims.predicate))
        if claims.predicate_type == SPDX:
            return Said(statement, read_sbom(claims.predicate))
    except ValueError as error:
        return Said(statement, problem=str(error))
    return Said(statement)
