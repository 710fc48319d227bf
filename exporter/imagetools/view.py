"""What a registry says about an image: its documents, its configs, and what is attested of it.

The form is that of buildx's templates: `.Image`, `.SBOM` and `.Provenance` are the thing itself for an image of one
platform, and a map from platform to thing for several. Attestations are read, not verified.
Source: buildx's `imagetools inspect`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import Index, InvalidDocument, Manifest
from builder.oci.mediatypes import CONFIGS, IN_TOTO
from builder.store.imagegraph import is_attestation, read_config, walk_image
from exporter.attest.attach import PREDICATE_TYPE, REFERENCE_DIGEST, SPDX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader

_PROVENANCE: Final = "https://slsa.dev/provenance/"
_ENVELOPE: Final = re.compile(r"application/vnd\.in-toto\.[^+]+\+dsse", re.ASCII)
_MAX_STATEMENT: Final = 256 << 20
"""Bytes of the largest statement that is read: SBOMs have many megabytes."""


class ImageView:
    """One image, read as far as somebody asks. `Raises` of its methods: RegistryError, InvalidDocument."""

    def __init__(self, name: str, root: Descriptor, reader: BlobReader) -> None:
        self.name = name
        self.root = root
        self._reader = reader
        self._images: dict[str, tuple[Descriptor, Manifest]] | None = None
        self._about: dict[Digest, list[Manifest]] = {}

    def document(self) -> bytes:
        """The bytes of the index or manifest."""
        return self._reader.read(self.root)

    def manifest(self) -> dict[str, object]:
        """The descriptor of the root, and of an index what it lists."""
        described = {"mediaType": self.root.media_type, "digest": self.root.digest, "size": self.root.size}
        index = next(walk_image(self._reader, self.root)).document
        if not isinstance(index, Index):
            return _plain(described)
        return _plain({"schemaVersion": index.schema_version, **described, **_members(index)})

    def image(self) -> object:
        """The config, or configs by platform."""
        return self._by_platform(lambda _, manifest: msgspec.json.decode(self._reader.read(manifest.config)))

    def provenance(self) -> object:
        """`{"SLSA": predicate}`, or those by platform; an empty map where there is none."""
        return self._by_platform(self._provenance)

    def sbom(self) -> object:
        """`{"SPDX": document}` with `AdditionalSPDXs` if there are more, or those by platform."""
        return self._by_platform(self._sbom)

    def _by_platform(self, describe: Callable[[Descriptor, Manifest], object]) -> object:
        found = {platform: describe(*each) for platform, each in self._walked().items()}
        if len(found) == 1:
            return next(iter(found.values())) or {}
        return {platform: each for platform, each in found.items() if each is not None}

    def _walked(self) -> Mapping[str, tuple[Descriptor, Manifest]]:
        if self._images is None:
            self._images = {}
            entries = [self.root]
            documents: dict[Digest, Manifest] = {}
            for visited in walk_image(self._reader, self.root):
                if isinstance(visited.document, Index):
                    entries += visited.document.manifests
                elif isinstance(visited.document, Manifest):
                    documents[visited.descriptor.digest] = visited.document
            # One manifest may be listed more than once: equal statements about two images are equal bytes.
            for entry in entries:
                if entry.digest in documents:
                    self._note(entry, documents[entry.digest])
        return self._images

    def _note(self, entry: Descriptor, manifest: Manifest) -> None:
        assert self._images is not None
        subject = entry.annotations.get(REFERENCE_DIGEST)
        if is_attestation(entry):
            if subject is not None:
                self._about.setdefault(Digest.parse(subject), []).append(manifest)
        elif manifest.config.media_type in CONFIGS:
            platform = (
                entry.platform.platform if entry.platform else read_config(self._reader, manifest).platform
            )
            self._images[str(platform)] = (entry, manifest)

    def _provenance(self, entry: Descriptor, _manifest: Manifest) -> object:
        for layer in self._statements(entry):
            if layer.annotations.get(PREDICATE_TYPE, "").startswith(_PROVENANCE):
                return {"SLSA": self._predicate(layer)}
        return None

    def _sbom(self, entry: Descriptor, _manifest: Manifest) -> object:
        found = [
            self._predicate(layer)
            for layer in self._statements(entry)
            if layer.annotations.get(PREDICATE_TYPE) == SPDX
        ]
        if not found:
            return None
        return {"SPDX": found[0], **({"AdditionalSPDXs": found[1:]} if found[1:] else {})}

    def _statements(self, entry: Descriptor) -> Iterator[Descriptor]:
        for manifest in self._about.get(entry.digest, ()):
            for layer in manifest.layers:
                if layer.media_type == IN_TOTO or _ENVELOPE.fullmatch(layer.media_type):
                    yield layer

    def _predicate(self, layer: Descriptor) -> object:
        content = self._statement(layer)
        try:
            statement = msgspec.json.decode(content, type=dict[str, object])
            if layer.media_type != IN_TOTO:
                payload = base64.b64decode(str(statement.get("payload", "")))
                statement = msgspec.json.decode(payload, type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error) as error:
            raise InvalidDocument(f"{layer.digest} is no statement: {error}") from error
        return statement.get("predicate")

    def _statement(self, layer: Descriptor) -> bytes:
        if layer.size > _MAX_STATEMENT:
            raise InvalidDocument(f"{layer.digest}: {layer.size} bytes is too large for a statement")
        with self._reader.open(layer.digest) as stream:
            content = stream.read(layer.size + 1)
        if Digest.of(content) != layer.digest:
            raise InvalidDocument(f"what came for {layer.digest} has another digest")
        return content


def _members(index: Index) -> dict[str, object]:
    annotations = {"annotations": index.annotations} if index.annotations else {}
    return {"manifests": index.manifests, **annotations}


def _plain(value: object) -> dict[str, object]:
    """As it stands in JSON: maps, lists, text and numbers."""
    return msgspec.json.decode(encode_json(value), type=dict[str, object])
