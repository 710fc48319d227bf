"""Layers and their forms: each is made from another once, and says the same."""

from __future__ import annotations

import io
import tarfile
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest, chain_id
from builder.oci.mediatypes import layer_media_type
from builder.snapshot import layerdb
from builder.snapshot.conversions import LayerPaths
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import SnapshotError
from builder.snapshot.layerdb import Format, LayerTable
from builder.snapshot.layers import Layers
from builder.store.selection import open_store
from builder.system.locks import KeyLocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from builder.snapshot.layerdb import LayerID
    from builder.store.embedded import EmbeddedLease, EmbeddedStore

GZIP = Format("gzip")
NODES = [
    Node(Entry("app", "dir", mode=0o755, mtime_ns=5_000_000_000)),
    Node(
        Entry("app/file", "file", mode=0o640, uid=3, gid=4, size=2, mtime_ns=7_000_000_000),
        InlineContent(b"hi"),
    ),
    Node(Entry("app/link", "symlink", mode=0o777, link="file", mtime_ns=7_000_000_000)),
]


class Bench:
    """A store with a lease, and layers on it that can be opened again as another process would."""

    def __init__(self, root: Path, store: EmbeddedStore, stack: ExitStack) -> None:
        self.root = root
        self.store = store
        self.stack = stack
        self.paths = LayerPaths(trees=root / "trees", indexes=root / "indexes", work=root / "work")
        for path in (self.paths.trees, self.paths.indexes, self.paths.work):
            path.mkdir()
        self.lease = stack.enter_context(store.lease())
        self.layers = self.open(self.lease)

    def open(self, lease: EmbeddedLease | None = None) -> Layers:
        locks = KeyLocks(self.root / "locks")
        return self.stack.enter_context(
            Layers(
                LayerTable(self.store.database),
                lease or self.stack.enter_context(self.store.lease()),
                self.paths,
                locks=locks,
                cancelled=threading.Event(),
            )
        )

    def image_layer(self, content: bytes, *, below: tuple[DiffID, ...] = (), present: bool = True) -> LayerID:
        """A layer of an image whose uncompressed blob is `content`."""
        diff_id = DiffID(Digest.of(content))
        blob = Descriptor(media_type=layer_media_type("uncompressed"), digest=diff_id, size=len(content))
        if present:
            self.lease.content.put(content)
        return self.layers.image(
            chain_id((*below, diff_id)), blob, diff_id, created_ns=1, fetch=lambda _: self.fetch(content)
        )

    def fetch(self, content: bytes) -> None:
        self.lease.content.put(content)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        store = stack.enter_context(open_store(tmp_path / "root", schemas=(layerdb.SCHEMA,)))
        yield Bench(tmp_path / "root", store, stack)


def archive(fill: Callable[[tarfile.TarFile], object]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as opened:
        fill(opened)
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.mode = kind, mode
    return found


@pytest.mark.root
def test_a_recipe_and_the_tree_made_from_it_give_the_same_blob(bench: Bench) -> None:
    from_recipe = bench.layers.blob(bench.layers.recipe(NODES), GZIP)
    other = bench.open()
    layer = other.recipe(NODES)
    other.settle((layer,))
    assert other.blob(layer, GZIP).descriptor == from_recipe.descriptor


def test_equal_recipes_are_one_layer(bench: Bench) -> None:
    assert bench.layers.recipe(NODES) == bench.layers.recipe(list(NODES))


def test_a_recipe_does_not_last_until_it_has_another_form(bench: Bench) -> None:
    layer = bench.layers.recipe(NODES)
    before = bench.layers.durable([layer])
    bench.layers.blob(layer, GZIP)
    assert (before, bench.layers.durable([layer])) == (False, True)


@pytest.mark.root
def test_a_tree_holds_what_the_recipe_says(bench: Bench) -> None:
    (name,) = bench.layers.trees([bench.layers.recipe(NODES)])
    found = bench.paths.trees / name / "app/file"
    assert (found.read_text(), found.stat().st_uid, found.stat().st_mode & 0o7777) == ("hi", 3, 0o640)


@pytest.mark.root
def test_the_tree_of_a_layer_that_is_there_twice_is_named_where_it_is_uppermost(bench: Bench) -> None:
    twice, other = bench.layers.recipe(NODES), bench.layers.recipe(NODES[:1])
    assert bench.layers.trees([twice, other, twice]) == (str(other), str(twice))


@pytest.mark.root
def test_a_blob_written_by_one_process_is_a_tree_for_another(bench: Bench) -> None:
    layer = bench.layers.recipe(NODES)
    bench.layers.blob(layer, GZIP)
    (name,) = bench.open().trees([layer])
    assert (bench.paths.trees / name / "app/link").readlink().name == "file"


def test_looking_at_names_does_not_unpack_a_layer(bench: Bench) -> None:
    layer = bench.image_layer(archive(lambda tar: tar.addfile(member("etc", tarfile.DIRTYPE, 0o700))))
    node = bench.layers.view([layer], content=False).lstat("etc")
    assert node is not None and node.entry.mode == 0o700 and not list(bench.paths.trees.iterdir())


def test_another_format_of_ones_own_layer_is_made_from_the_first(bench: Bench) -> None:
    layer = bench.layers.recipe(NODES)
    gzip = bench.layers.blob(layer, GZIP)
    zstd = bench.open().blob(layer, Format("zstd"))
    assert zstd.diff_id == gzip.diff_id and zstd.descriptor.media_type.endswith("+zstd")


def test_layers_of_images_keep_the_form_in_which_they_came(bench: Bench) -> None:
    layer = bench.image_layer(archive(lambda tar: tar.addfile(member("f"))))
    assert bench.layers.blob(layer, GZIP).descriptor.media_type == layer_media_type("uncompressed")


def test_layers_of_images_are_converted_by_force(bench: Bench) -> None:
    layer = bench.image_layer(archive(lambda tar: tar.addfile(member("f"))))
    forced = bench.layers.blob(layer, GZIP, force=True)
    assert forced.descriptor.media_type == layer_media_type("gzip")
    assert bench.layers.blob(layer, GZIP).descriptor.media_type == layer_media_type("uncompressed")


def test_a_blob_is_fetched_when_somebody_needs_its_bytes(bench: Bench) -> None:
    content = archive(lambda tar: tar.addfile(member("f")))
    layer = bench.image_layer(content, present=False)
    assert bench.lease.content.find(Digest.of(content)) is None
    bench.layers.blob(layer, GZIP)
    assert bench.lease.content.find(Digest.of(content)) is not None


@pytest.mark.root
def test_a_directory_that_a_layer_only_implies_keeps_the_attributes_from_below(bench: Bench) -> None:
    low = archive(lambda tar: tar.addfile(member("usr", tarfile.DIRTYPE, 0o711)))
    high = archive(lambda tar: tar.addfile(member("usr/bin/x")))
    layers = [bench.image_layer(low), bench.image_layer(high, below=(DiffID(Digest.of(low)),))]
    indexed = bench.layers.view(layers, content=False).lstat("usr")
    names = bench.layers.trees(layers)
    assert indexed is not None and indexed.entry.mode == 0o711
    assert (bench.paths.trees / names[1] / "usr").stat().st_mode & 0o7777 == 0o711


def test_a_damaged_index_is_made_again(bench: Bench) -> None:
    layer = bench.image_layer(archive(lambda tar: tar.addfile(member("f"))))
    bench.layers.view([layer], content=False).lstat("f")
    (bench.paths.indexes / str(layer)).write_bytes(b"garbage")
    assert bench.open().view([layer], content=False).lstat("f") is not None


def test_a_layer_whose_blob_is_gone_is_not_usable_and_says_so(bench: Bench) -> None:
    layer = bench.layers.recipe(NODES)
    blob = bench.layers.blob(layer, GZIP)
    bench.store.root.blob(blob.descriptor.digest.hex).unlink()
    other = bench.open()
    assert not other.usable([layer])
    with pytest.raises(SnapshotError, match="not in the store any more"):
        other.blob(layer, GZIP)


def test_scratch_directories_vanish_with_what_is_in_them(bench: Bench) -> None:
    with bench.layers.scratch() as scratch:
        (scratch / "left").write_text("x")
    assert not scratch.exists()
