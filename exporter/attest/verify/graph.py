"""The image from the root down: documents, platforms, and which entries are about which.

A document is parsed only after its bytes have been checked, and what is wrong in one does not hide the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from builder.oci.config import ImageConfig, decode_config
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import MAX_DOCUMENT, Index, InvalidDocument, Manifest, decode_index, decode_manifest
from builder.oci.mediatypes import CONFIGS, INDEXES, MANIFESTS, is_layer
from builder.store.errors import StoreError
from builder.store.imagegraph import MAX_BLOBS, MAX_DEPTH, is_attestation
from exporter.attest.attach import REFERENCE_DIGEST
from exporter.attest.verify.blobs import check_blob
from exporter.attest.verify.finding import Finding, Spot
from exporter.attest.verify.members import TWINS, has_twins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.digest import Digest
    from builder.store.protocol import BlobReader

_OLDER_REFERENCE: Final = "com.docker.reference.digest"
_MALFORMED: Final = "no builder makes this: do not use the image, and ask where it came from"


class ImageEntry(msgspec.Struct, frozen=True):
    """An image of one platform."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig

    @property
    def platform(self) -> str:
        """The platform that the config says."""
        return str(self.config.platform)


class AttestationEntry(msgspec.Struct, frozen=True):
    """What an index says about one of its images: that of the digest `about`, empty when it does not say."""

    descriptor: Descriptor
    manifest: Manifest

    @property
    def about(self) -> str:
        """The digest of the image."""
        return _about(self.descriptor)


def _about(entry: Descriptor) -> str:
    return entry.annotations.get(REFERENCE_DIGEST) or entry.annotations.get(_OLDER_REFERENCE, "")


class Graph:
    """The image below a root, read once.

    `indexes` stand from the root down; `absent` are entries that are not here but `elsewhere`, by digest.
    """

    def __init__(
        self, reader: BlobReader, root: Descriptor, *, elsewhere: str = "", only: Digest | None = None
    ) -> None:
        """`only`: the image of one platform, and what is said about it; `reader` verifies what it reads then."""
        self._reader = reader
        self._only = only
        self._root = root
        self._elsewhere = elsewhere
        self.indexes: list[tuple[Descriptor, Index]] = []
        self.images: list[ImageEntry] = []
        self.attestations: list[AttestationEntry] = []
        self.absent: dict[str, Descriptor] = {}
        self._findings: list[Finding] = []
        self._parts: list[tuple[str, Descriptor]] = []
        self._seen: set[str] = set()
        self._visit(root, depth=0)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found while reading; each under the platform that its blob turned out to belong to."""
        owners = self._owners()
        return tuple(
            found if found.platform else replace(found, platform=owners.get(found.digest, ""))
            for found in self._findings
        )

    @property
    def blobs(self) -> tuple[tuple[Descriptor, str], ...]:
        """What manifests point at and was not read yet, with its platform: each once, unless its size differs."""
        owners = self._owners()
        read = {found.digest for found in self._findings if found.check in ("blob", "size")}
        distinct = {(blob.digest, blob.size): blob for _, blob in self._parts if blob.digest not in read}
        return tuple((blob, owners[blob.digest]) for blob in distinct.values())

    def _owners(self) -> dict[str, str]:
        """The platform of every blob below a manifest; empty for one that several have."""
        platforms: dict[str, str] = {image.descriptor.digest: image.platform for image in self.images}
        platforms |= {entry.descriptor.digest: platforms.get(entry.about, "") for entry in self.attestations}
        owners: dict[str, str] = {}
        for manifest, blob in self._parts:
            platform = platforms.get(manifest, "")
            owners[blob.digest] = platform if owners.get(blob.digest, platform) == platform else ""
        return owners

    def _visit(self, entry: Descriptor, *, depth: int) -> None:
        if depth > MAX_DEPTH or len(self._seen) >= MAX_BLOBS:
            self._fail("nesting", entry, "indexes are nested too deeply, or the image has too many entries")
            return
        self._seen.add(entry.digest)
        if entry.media_type not in INDEXES | MANIFESTS:
            self._fail("media-type", entry, f"{entry.media_type[:100]!r} is neither an index nor a manifest")
            return
        content = self._content(entry)
        if content is None:
            return
        try:
            if entry.media_type in INDEXES:
                self._visit_index(decode_index(content, entry.media_type), entry, depth)
            else:
                self._visit_manifest(decode_manifest(content, entry.media_type), entry)
        except InvalidDocument as error:
            self._fail("document", entry, error.message)

    def _visit_index(self, index: Index, entry: Descriptor, depth: int) -> None:
        self.indexes.append((entry, index))
        self._findings.append(Spot(entry.digest).held("document", f"index of {len(index.manifests)} entries"))
        digests: set[str] = set()
        for child in index.manifests:
            if child.digest in digests:
                self._fail("entry-twice", child, "the index lists it more than once")
                continue
            digests.add(child.digest)
            if self._is_wanted(child):
                self._visit(child, depth=depth + 1)

    def _is_wanted(self, entry: Descriptor) -> bool:
        wanted = entry.digest if not is_attestation(entry) else _about(entry)
        return self._only is None or entry.media_type in INDEXES or wanted == self._only

    def _visit_manifest(self, manifest: Manifest, entry: Descriptor) -> None:
        self._parts += [(entry.digest, part) for part in (entry, manifest.config, *manifest.layers)]
        if is_attestation(entry):
            self.attestations.append(AttestationEntry(entry, manifest))
            return
        if manifest.config.media_type not in CONFIGS:
            self._fail(
                "media-type", entry, f"its config is no image config: {manifest.config.media_type[:100]!r}"
            )
            return
        content = self._content(manifest.config)
        if content is None:
            return
        try:
            image = ImageEntry(entry, manifest, decode_config(content))
        except InvalidDocument as error:
            self._fail("document", manifest.config, error.message)
            return
        self.images.append(image)
        self._findings += _image_findings(image)

    def _content(self, entry: Descriptor) -> bytes | None:
        """The bytes of a document; None, and a finding says why, when they are not what they should be."""
        if self._only is not None:
            return self._parsed(entry)
        # Of an index some platforms may have been fetched, with what is said about them.
        may_lack = entry.media_type in MANIFESTS and entry is not self._root
        found = check_blob(self._reader, entry, elsewhere=self._elsewhere if may_lack else "")
        self._findings.append(found)
        if found.state == "skipped":
            self.absent[entry.digest] = entry
        return self._parsed(entry) if found.state == "held" else None

    def _parsed(self, entry: Descriptor) -> bytes | None:
        """The bytes of a document that is well formed."""
        if entry.size > MAX_DOCUMENT:
            self._fail("document", entry, f"{entry.size} bytes are more than {MAX_DOCUMENT}")
            return None
        try:
            content = self._reader.read(entry)
            if has_twins(content):
                self._fail("document", entry, TWINS)
                return None
        except (StoreError, InvalidDocument, ValueError) as error:
            self._fail("document", entry, str(error))
            return None
        return content

    def _fail(self, check: str, entry: Descriptor, message: str) -> None:
        self._findings.append(Spot(entry.digest).failed(check, message, hint=_MALFORMED))


def _image_findings(image: ImageEntry) -> Iterator[Finding]:
    spot, config = Spot(image.descriptor.digest, image.platform), image.config
    said = image.descriptor.platform
    if said is not None:
        same = (said.platform.os, said.platform.architecture, said.platform.variant) == (
            config.platform.os, config.platform.architecture, config.platform.variant,
        )  # fmt: skip
        message = (
            "index and config agree"
            if same
            else f"the index says {said.platform}, the config {spot.platform}"
        )
        yield spot.judged(
            "platform", message, held=same, hint="the index was edited, or the image was built wrong"
        )
    layers, diff_ids = len(image.manifest.layers), len(config.diff_ids)
    message = f"{layers} layers, {diff_ids} diff IDs"
    yield spot.judged("layer-count", message, held=layers == diff_ids, hint=_MALFORMED)
    if config.history:
        steps = sum(not step.empty_layer for step in config.history)
        message = f"{layers} layers, {steps} steps of the history with one"
        yield spot.judged("history", message, held=steps == layers, hint=_MALFORMED)
    for number, layer in enumerate(image.manifest.layers):
        if not is_layer(layer.media_type):
            message = f"{layer.media_type[:100]!r} is no layer"
            yield spot.at(f"$.layers[{number}]").failed("media-type", message, hint=_MALFORMED)
