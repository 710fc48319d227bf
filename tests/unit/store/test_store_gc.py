"""Garbage collection and the check: what goes, what stays, what is wrong."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from samples import Sample, put, several, single

from builder.oci.digest import Digest
from builder.store.check import check
from builder.store.database import Database
from builder.store.gc import Collected, NoSnapshots, Roots, collect
from builder.store.leases import FLAT, Leases
from builder.store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from builder.store.embedded import EmbeddedStore


class Trees(NoSnapshots):
    """Snapshots that are names in a set."""

    def __init__(self, *names: str) -> None:
        self.present = set(names)
        self.forgotten: set[str] = set()

    def names(self) -> Iterable[str]:
        return self.present

    def forget(self, names: Collection[str]) -> None:
        self.forgotten.update(names)

    def remove(self, name: str) -> None:
        self.present.remove(name)


def run(store: EmbeddedStore, trees: NoSnapshots | None = None, roots: Roots | None = None) -> Collected:
    return collect(
        store.root, store.database, snapshots=trees or NoSnapshots(), extra_roots=lambda: roots or Roots()
    )


def digests(store: EmbeddedStore) -> set[Digest]:
    return {blob.digest for blob in store.content.walk()}


def stored(store: EmbeddedStore, sample: Sample, name: str = "name") -> Sample:
    with store.lease() as lease:
        store.images.set(name, put(lease.content, sample))
    return sample


def test_everything_that_an_image_reaches_stays(store: EmbeddedStore) -> None:
    sample = stored(store, several())
    assert run(store).blobs == 0
    assert digests(store) == sample.blobs.keys()
    assert check(store.root, store.database, verify=True) == []


def test_what_a_deleted_name_reached_goes_with_its_files(store: EmbeddedStore) -> None:
    sample = stored(store, several())
    store.images.delete("name")
    collected = run(store)
    assert collected.blobs == len(sample.blobs)
    assert collected.size == sum(map(len, sample.blobs.values()))
    assert os.listdir(store.root.blobs) == []


def test_blobs_that_another_image_shares_stay(store: EmbeddedStore) -> None:
    stored(store, several(), "index")
    kept = stored(store, single(), "single")
    store.images.delete("index")
    run(store)
    assert digests(store) == kept.blobs.keys()


def test_what_a_running_build_wrote_stays_until_it_ends(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        put(lease.content, single())
        assert run(store).blobs == 0
    assert run(store).blobs == 3


def test_what_a_running_build_found_stays_with_all_that_it_reaches(store: EmbeddedStore) -> None:
    sample = stored(store, several())
    with store.lease() as lease:
        assert lease.content.has(sample.root.digest)
        store.images.delete("name")
        assert run(store).blobs == 0


def test_a_flat_lease_keeps_the_blob_but_not_what_it_reaches(store: EmbeddedStore) -> None:
    sample = stored(store, single())
    leases = Leases(store.root, store.database)
    lease = leases.create(store.namespace, {FLAT: "true"})
    leases.add(lease, "content", [sample.root.digest])
    store.images.delete("name")
    run(store)
    assert digests(store) == {sample.root.digest}


def test_a_blob_labelled_as_root_stays(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        kept = lease.content.put(b"kept", labels={"containerd.io/gc.root": "yes"})
        lease.content.put(b"not kept")
    run(store)
    assert digests(store) == {kept}


def test_content_that_the_caller_names_as_root_stays(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        kept = lease.content.put(b"kept")
    run(store, roots=Roots(content=frozenset({kept})))
    assert digests(store) == {kept}


def test_one_namespace_does_not_keep_rows_of_another(store: EmbeddedStore) -> None:
    sample = stored(store, single())
    with open_store(store.root.path, driver="docker") as other, other.lease() as lease:
        other.images.set("other", put(lease.content, sample))
        store.images.delete("name")
        run(store)
        assert digests(store) == set()
        assert {blob.digest for blob in other.content.walk()} == sample.blobs.keys()
        assert other.content.read(sample.root) == sample.blobs[sample.root.digest]


def test_snapshots_go_unless_a_lease_a_label_or_the_caller_keeps_them(store: EmbeddedStore) -> None:
    trees = Trees("leased", "labelled", "cached", "garbage")
    sample = stored(store, single())
    store.content.update_labels(sample.root.digest, {"containerd.io/gc.ref.snapshot.dockyard": "labelled"})
    with store.lease() as lease:
        lease.keep_snapshots(["leased"])
        collected = run(store, trees, Roots(snapshots=frozenset({"cached"})))
    assert trees.present == {"leased", "labelled", "cached"}
    assert trees.forgotten == {"garbage"}
    assert collected.snapshots == 1


def test_a_file_that_no_row_knows_is_removed(store: EmbeddedStore) -> None:
    store.root.blob(Digest.of(b"x").hex).write_bytes(b"x")
    assert run(store).blobs == 1


def test_builds_and_collectors_at_once_leave_a_sound_store(store: EmbeddedStore) -> None:
    def build(number: int) -> None:
        with open_store(store.root.path) as own, own.lease() as lease:
            target = put(lease.content, single(layer=b"%d" % (number % 3)))
            own.images.set(f"image-{number % 5}", target)
            own.images.delete(f"image-{(number + 1) % 5}")

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(build, number) for number in range(30)]
        work += [pool.submit(run, store) for _ in range(10)]
    for each in work:
        each.result()
    assert check(store.root, store.database, verify=True) == []


def test_labels_that_point_in_a_circle_end(store: EmbeddedStore) -> None:
    one, two = Digest.of(b"one"), Digest.of(b"two")
    with store.lease() as lease:
        lease.content.put(b"one", labels={"containerd.io/gc.ref.content.0": two})
        lease.content.put(b"two", labels={"containerd.io/gc.ref.content.0": one})
    assert run(store).blobs == 2


def test_the_check_finds_a_blob_that_an_image_lacks(store: EmbeddedStore) -> None:
    sample = stored(store, several())
    layer = Digest.of(b"a layer")
    store.content.delete(layer)
    assert f"image name: blob {layer} is not in the store" in check(store.root, store.database)
    assert sample.blobs


def test_the_check_finds_files_that_are_missing_or_cut(store: EmbeddedStore) -> None:
    stored(store, single())
    layer = Digest.of(b"a layer")
    store.root.blob(layer.hex).write_bytes(b"a lay")
    assert check(store.root, store.database) == [f"blob {layer} has 5 bytes, not 7"]
    store.root.blob(layer.hex).unlink()
    assert check(store.root, store.database) == [f"blob {layer} cannot be read: No such file or directory"]


def test_only_the_verifying_check_finds_other_bytes(store: EmbeddedStore) -> None:
    stored(store, single())
    layer = Digest.of(b"a layer")
    store.root.blob(layer.hex).write_bytes(b"A LAYER")
    assert check(store.root, store.database) == []
    assert check(store.root, store.database, verify=True) == [
        f"blob {layer} has other bytes than its digest says"
    ]


def test_the_check_finds_labels_without_which_a_collection_would_break_an_image(store: EmbeddedStore) -> None:
    sample = stored(store, single())
    store.content.update_labels(sample.root.digest, {"containerd.io/gc.ref.content.1": ""})
    (problem,) = check(store.root, store.database)
    assert problem == f"image name: {sample.root.digest} has no label that keeps {Digest.of(b'a layer')}"


def test_the_check_finds_what_dead_processes_left(store: EmbeddedStore) -> None:
    (store.root.ingests / "0123.abc").touch()
    (store.root.blobs / "partial").touch()
    assert check(store.root, store.database) == [
        "content/blobs/sha256/partial is no blob",
        "content/ingest/0123.abc was left by a process that is dead",
    ]


def test_the_check_says_when_the_database_itself_is_damaged(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        for number in range(200):
            lease.content.put(b"%d" % number, labels={"key": "value" * 20})
    store.close()
    content = bytearray(store.root.database.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    store.root.database.write_bytes(content)
    database = Database(store.root.database)
    assert check(store.root, database)
    database.close()
