"""The image from the root down: documents, platforms, and which entries are about which.

A document is parsed only after its bytes have been checked, and what is wrong in one does not hide the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from builder.oci.config import ImageConfig, decode_config
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import MAX_DOCUMENT, Index, InvalidDocument, Manifest, decode_index, decode_manifest
from builder.oci.mediatypes import CONFIGS, INDEXES, MANIFESTS, is_layer
from builder.store.errors import StoreError
from builder.store.imagegraph import MAX_BLOBS, MAX_DEPTH, is_attestation
from exporter.attest.verify.blobs import check_blob
from exporter.attest.verify.finding import Finding, failed, judge, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.protocol import BlobReader


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
    """What an index says about one of its images."""

    descriptor: Descriptor
    manifest: Manifest


class Graph:
    """Reads the image below a root once; afterwards `images`, `attestations`, `blobs` and `findings` are set."""

    def __init__(self, reader: BlobReader, root: Descriptor) -> None:
        self._reader = reader
        self.images: list[ImageEntry] = []
        self.attestations: list[AttestationEntry] = []
        self.blobs: list[Descriptor] = []
        self.findings: list[Finding] = []
        self._seen: set[str] = set()
        self._visit(root, depth=0)

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
        self.findings.append(passed("document", entry.digest, f"index of {len(index.manifests)} entries"))
        digests: set[str] = set()
        for child in index.manifests:
            if child.digest in digests:
                self._fail("entry-twice", child, "the index lists it more than once")
                continue
            digests.add(child.digest)
            self._visit(child, depth=depth + 1)

    def _visit_manifest(self, manifest: Manifest, entry: Descriptor) -> None:
        self.blobs += (manifest.config, *manifest.layers)
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
        self.findings += _image_findings(image)

    def _content(self, entry: Descriptor) -> bytes | None:
        """The bytes of a document; None, and a finding says why, when they are not what they should be."""
        found = check_blob(self._reader, entry)
        self.findings.append(found)
        if found.state != "held":
            return None
        if entry.size > MAX_DOCUMENT:
            self._fail("document", entry, f"{entry.size} bytes are more than {MAX_DOCUMENT}")
            return None
        try:
            content = self._reader.read(entry)
            json.loads(content.decode(), object_pairs_hook=_once)
        except (StoreError, InvalidDocument, ValueError, RecursionError) as error:
            self._fail("document", entry, str(error))
            return None
        return content

    def _fail(self, check: str, entry: Descriptor, message: str) -> None:
        self.findings.append(failed(check, entry.digest, message))


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers may take different ones of two members with one name: such a document says two things."""
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a JSON object has two members of one name")
    return found


def _image_findings(image: ImageEntry) -> Iterator[Finding]:
    digest, platform, config = image.descriptor.digest, image.platform, image.config
    said = image.descriptor.platform
    if said is not None:
        same = (said.platform.os, said.platform.architecture, said.platform.variant) == (
            config.platform.os, config.platform.architecture, config.platform.variant,
        )  # fmt: skip
        message = (
            "index and config agree" if same else f"the index says {said.platform}, the config {platform}"
        )
        yield judge("platform", same, digest, message, platform=platform)
    layers, diff_ids = len(image.manifest.layers), len(config.diff_ids)
    message = f"{layers} layers, {diff_ids} diff IDs"
    yield judge("layer-count", layers == diff_ids, digest, message, platform=platform)
    if config.history:
        steps = sum(not step.empty_layer for step in config.history)
        message = f"{layers} layers, {steps} steps of the history with one"
        yield judge("history", steps == layers, digest, message, platform=platform)
    for number, layer in enumerate(image.manifest.layers):
        if not is_layer(layer.media_type):
            message = f"{layer.media_type[:100]!r} is no layer"
            yield failed("media-type", digest, message, platform=platform, path=f"$.layers[{number}]")
