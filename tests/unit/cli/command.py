"""Runs the command in this process and keeps what it said; makes small images in its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from builder.cli.main import run
from builder.oci.config import ContainerConfig, ImageConfig, RootFS, encode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import Index, Manifest, encode_document, image_index, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.platforms import parse_platform
from builder.store.imagegraph import labels_for
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from builder.store.protocol import ContentWriter


class Said(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Command:
    """The command on the state root `root`."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def __call__(self, *words: str) -> Said:
        self._capsys.readouterr()
        code = run(["--root", str(self.root), *words])
        return Said(code, *self._capsys.readouterr())

    def on(self, root: Path) -> Command:
        """The command on another state root."""
        return Command(root, self._capsys)

    def make_image(self, *names: str, platforms: tuple[str, ...] = ("linux/amd64",)) -> Descriptor:
        """An image with one layer of ten bytes a platform; an index if there are several."""
        with open_store(self.root) as store, store.lease() as lease:
            manifests = tuple(_manifest(lease.content, platform) for platform in platforms)
            target = manifests[0]
            if len(manifests) > 1:
                target = _document(lease.content, image_index(manifests), OCI_INDEX)
            for name in names:
                store.images.set(name, target)
        return target


def _manifest(content: ContentWriter, platform: str) -> Descriptor:
    wanted = parse_platform(platform)
    layer = _blob(content, platform.ljust(10).encode()[:10], OCI_LAYER)
    config = ImageConfig(
        architecture=wanted.architecture,
        os=wanted.os,
        variant=wanted.variant,
        created="2026-01-02T03:04:05Z",
        config=ContainerConfig(cmd=("true",)),
        rootfs=RootFS(diff_ids=(layer.digest,)),
    )
    stored = _blob(content, encode_config(config), OCI_CONFIG)
    return _document(content, image_manifest(stored, (layer,)), OCI_MANIFEST).with_platform(wanted)


def _document(content: ContentWriter, document: Manifest | Index, media_type: str) -> Descriptor:
    encoded = encode_document(document)
    content.put(encoded, labels=labels_for(document))
    return Descriptor(media_type=media_type, digest=Digest.of(encoded), size=len(encoded))


def _blob(content: ContentWriter, data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=content.put(data), size=len(data))
