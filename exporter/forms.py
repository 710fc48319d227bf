"""Layers in the form that an output asks for: as the build keeps them, or made of that for this output.

eStargz and rewritten times make other archives of the same files, with diff IDs of their own. Such a variant is
made from the layer's ordinary blob and remembered in a label of it; it goes, as everything here does, when no image
keeps it, and is then made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import CHUNK, DiffID, Digest, decode_hook, encode_json
from builder.oci.mediatypes import layer_compression, layer_media_type
from builder.snapshot.layerdb import Format
from builder.snapshot.layers import LayerBlob
from exporter.outputs import LayerForm

if TYPE_CHECKING:
    from builder.snapshot.compression import BlobSink, WrittenLayer
    from builder.snapshot.streams import LayerReader
    from builder.store.protocol import ContentWriter
    from exporter.outputs import ExportOptions

REWRITTEN: Final = "buildkit/rewritten-timestamp"
_LABEL: Final = "dockyard/form."


class Form(msgspec.Struct, frozen=True):
    """How a layer of an image is written. `latest`: no file is younger, in seconds; None: times stay."""

    compression: LayerForm = "gzip"
    level: int | None = None
    latest: int | None = None

    @property
    def is_variant(self) -> bool:
        """Whether the archive is another than the layer's own."""
        return self.compression == "estargz" or self.latest is not None

    @property
    def kept(self) -> Format:
        """The form in which the layer is kept: this one, or for a variant the one that most builds have."""
        if self.compression == "estargz" or self.latest is not None:
            return Format()
        return Format(self.compression, self.level)

    @property
    def name(self) -> str:
        """The form in a word."""
        parts = (self.compression, self.level, self.latest)
        return ".".join("" if part is None else str(part) for part in parts)


class _Remembered(msgspec.Struct, frozen=True):
    descriptor: Descriptor
    diff_id: Digest


def form_of(output: ExportOptions) -> Form:
    """The form that `output` wants new layers to have."""
    latest = output.epoch if output.rewrite_timestamp else None
    return Form(output.compression, output.compression_level, latest)


def variant(kept: LayerBlob, form: Form, content: ContentWriter) -> LayerBlob:
    """The layer `kept`, whose blob is in `content`, in a form that is another archive.

    Costs next to nothing when it was made before. Raises: SnapshotError, StoreError.
    """
    label = _LABEL + form.name
    blob = content.find(kept.descriptor.digest)
    if blob is not None and label in blob.labels:
        found = msgspec.json.decode(blob.labels[label], type=_Remembered, dec_hook=decode_hook)
        if content.has(found.descriptor.digest):
            return msgspec.structs.replace(kept, descriptor=found.descriptor, diff_id=DiffID(found.diff_id))
    made = _make(kept, form, content)
    remembered = _Remembered(made.descriptor, made.diff_id)
    content.update_labels(kept.descriptor.digest, {label: encode_json(remembered).decode()})
    return made


def _make(kept: LayerBlob, form: Form, content: ContentWriter) -> LayerBlob:
    from builder.snapshot.retime import retimed
    from builder.snapshot.streams import open_layer

    with content.open(kept.descriptor.digest) as stream, content.ingest(f"layer-{form.name}") as ingest:
        archive = open_layer(stream, layer_compression(kept.descriptor.media_type))
        annotations = {}
        if form.latest is not None:
            archive = retimed(archive, epoch=form.latest)
            annotations[REWRITTEN] = str(form.latest)
        written, further = _write(archive, form, ingest)
        digest = ingest.commit(size=written.size)
    compression = "gzip" if form.compression == "estargz" else form.compression
    descriptor = Descriptor(
        media_type=layer_media_type(compression),
        digest=digest,
        size=written.size,
        annotations={**annotations, **further},
    )
    return LayerBlob(descriptor=descriptor, diff_id=written.diff_id, created_ns=kept.created_ns)


def _write(archive: LayerReader, form: Form, sink: BlobSink) -> tuple[WrittenLayer, dict[str, str]]:
    """Writes the blob; what it is, and the annotations that belong to it."""
    if form.compression == "estargz":
        from builder.snapshot.estargz import write_estargz

        written = write_estargz(archive, sink, level=form.level)
        return written.layer, written.annotations
    from builder.snapshot.compression import LayerWriter

    with LayerWriter(sink, form.compression, form.level) as writer:
        while chunk := archive.read(CHUNK):
            writer.write(chunk)
        return writer.finish(), {}
