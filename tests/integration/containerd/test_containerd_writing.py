"""Writing to a real daemon: cut, gone on with, beside others, and when the daemon is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest
from containerd_daemon import containerd

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.store.containerd import methods
from builder.store.containerd.address import Address
from builder.store.containerd.errors import ConnectionLost
from builder.store.containerd.store import ContainerdStore
from builder.store.errors import DigestMismatch
from builder.store.imagegraph import walk_image
from builder.store.transfer import copy_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from containerd_daemon import Daemon

    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import Image

pytestmark = pytest.mark.root

MEBIBYTE: Final = 1 << 20
BLOB: Final = b"".join(bytes([n]) * MEBIBYTE for n in range(6))
DIGEST: Final = Digest.of(BLOB)
REF: Final = f"layer-{DIGEST}"

# Writes a small blob whole and half of a large one, and waits to be killed.
KILLED_HALFWAY: Final = """
import sys
from builder.store.containerd import methods
from builder.store.containerd.address import Address
from builder.store.containerd.store import ContainerdStore
socket, namespace, ref = sys.argv[1:]
with ContainerdStore(Address(socket, namespace)) as store, store.lease() as lease:
    lease.content.put(b"whole")
    with lease.content.ingest(ref) as ingest:
        for n in range(3):
            ingest.write(bytes([n]) * (1 << 20))
        print("written", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def halfway(address: Address) -> subprocess.Popen[str]:
    """A process that is in the middle of writing `BLOB`."""
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED_HALFWAY, address.socket, address.namespace, REF],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    return writer


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_what_a_killed_process_sent_is_not_sent_again(
    store: ContainerdStore, halfway: subprocess.Popen[str]
) -> None:
    kill(halfway)
    with store.lease() as lease, lease.content.ingest(REF) as ingest:
        assert ingest.resumed_at == 3 * MEBIBYTE
        ingest.write(BLOB)
        ingest.commit(expected=DIGEST, size=len(BLOB))
        with lease.content.open_verified(described(BLOB)) as stream:
            assert stream.read() == BLOB


def test_the_next_lease_inherits_what_a_killed_process_kept(
    store: ContainerdStore, halfway: subprocess.Popen[str], ctr: Callable[..., str]
) -> None:
    kill(halfway)
    with store.lease():
        # A deletion, so that the collector has something to do.
        with store.lease() as other:
            other.content.put(b"garbage")
        assert len(ctr("leases", "ls").splitlines()) == 2
        assert store.content.find(Digest.of(b"whole")) is not None


def test_a_lease_of_a_living_process_is_left_alone(
    store: ContainerdStore, halfway: subprocess.Popen[str], ctr: Callable[..., str]
) -> None:
    with store.lease():
        assert len(ctr("leases", "ls").splitlines()) == 3
    kill(halfway)


def test_a_lease_that_is_over_is_gone(store: ContainerdStore, ctr: Callable[..., str]) -> None:
    with store.lease({"key": "value"}):
        assert "key=value" in ctr("leases", "ls")
    assert len(ctr("leases", "ls").splitlines()) == 1


def test_a_blob_that_somebody_else_is_writing_is_written_beside_it(
    store: ContainerdStore, halfway: subprocess.Popen[str]
) -> None:
    with store.lease() as lease, lease.content.ingest(REF) as ingest:
        assert ingest.resumed_at == 0
        ingest.write(BLOB)
        ingest.commit(expected=DIGEST)
        assert lease.content.find(DIGEST) is not None
    kill(halfway)


def test_other_bytes_of_an_earlier_attempt_are_forgotten(store: ContainerdStore) -> None:
    with store.lease() as lease:
        with lease.content.ingest(REF) as ingest:
            ingest.write(b"something else")
        with (
            pytest.raises(DigestMismatch, match="from an earlier attempt"),
            lease.content.ingest(REF) as second,
        ):
            second.write(BLOB)
        with lease.content.ingest(REF) as third:
            third.write(BLOB)
            assert third.commit(expected=DIGEST) == DIGEST


def test_an_earlier_attempt_that_wrote_too_much_is_forgotten(store: ContainerdStore) -> None:
    with store.lease() as lease:
        with lease.content.ingest(REF) as ingest:
            ingest.write(BLOB + b"more")
        with (
            pytest.raises(DigestMismatch, match="from an earlier attempt"),
            lease.content.ingest(REF) as second,
        ):
            second.write(BLOB)
            second.commit(expected=DIGEST, size=len(BLOB))


def test_an_image_that_is_there_is_not_sent_again(
    store: ContainerdStore, busybox: Image, layout: LayoutReader
) -> None:
    sent: list[Descriptor] = []
    copy_image(layout, busybox.target, store, names=[], progress=lambda blob, _: sent.append(blob))
    assert sent == []


def test_blobs_of_another_namespace_are_not_sent_again(
    store: ContainerdStore, busybox: Image, layout: LayoutReader, daemon: Daemon
) -> None:
    sent: list[Descriptor] = []
    with ContainerdStore(daemon.address("other")) as other:
        (copied,) = copy_image(
            layout,
            busybox.target,
            other,
            names=["copied"],
            progress=lambda blob, _: sent.append(blob),
        )
        for visited in walk_image(other.content, copied.target):
            with other.content.open_verified(visited.descriptor) as stream:
                stream.read()
        other.images.delete(copied.name)
    assert sent == []


def test_a_blob_that_changed_at_the_daemon_is_an_error_and_removed(
    store: ContainerdStore, daemon: Daemon
) -> None:
    with store.lease() as lease:
        digest = lease.content.put(b"sound")
        damage(daemon, digest)
        with pytest.raises(DigestMismatch), store.content.open_verified(described(b"sound")) as stream:
            stream.read()
        assert store.content.find(digest) is None


def test_a_document_that_changed_at_the_daemon_is_an_error_and_removed(
    store: ContainerdStore, daemon: Daemon
) -> None:
    with store.lease() as lease:
        digest = lease.content.put(b"document")
        damage(daemon, digest)
        with pytest.raises(DigestMismatch, match="not those of its digest"):
            store.content.read(described(b"document"))
        assert store.content.find(digest) is None


def test_an_image_of_a_digest_that_cannot_be_verified_is_left_out(
    store: ContainerdStore, busybox: Image
) -> None:
    store._connection.call(
        methods.IMAGE_CREATE,
        image={"name": "sha512", "target": {"digest": f"sha512:{'0' * 128}", "size": 1, "media_type": "x/y"}},
    )
    assert [image.name for image in store.images.all()] == [busybox.name]
    assert store.images.find("sha512") is None
    store.images.delete("sha512")


def test_two_exports_of_one_image_at_once_both_succeed(address: Address, layout: LayoutReader) -> None:
    def export(name: str) -> Digest:
        with ContainerdStore(address) as store:
            (image,) = copy_image(layout, layout.find(None), store, names=[name])
            return image.target.digest

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(export, ("one", "two")))) == 1
    with ContainerdStore(address) as store:
        assert len(store.images.all()) == 2


def test_a_daemon_that_dies_midway_is_one_clear_error() -> None:
    with (
        containerd() as daemon,
        ContainerdStore(daemon.address()) as store,
        pytest.raises(ConnectionLost, match="does not answer"),
        store.lease() as lease,
        lease.content.ingest(REF) as ingest,
    ):
        daemon.kill()
        while True:
            ingest.write(BLOB)


def test_no_daemon_at_the_address_is_an_error_that_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost, match=r"/none does not answer: No such file or directory\n") as caught:
        ContainerdStore(Address(f"{tmp_path}/none"))
    assert (
        caught.value.hint == "check that it runs, that the address is right and that you may use its socket"
    )


def described(content: bytes) -> Descriptor:
    return Descriptor(media_type="text/plain", digest=Digest.of(content), size=len(content))


def damage(daemon: Daemon, digest: Digest) -> None:
    path = daemon.socket.parent / "root/io.containerd.content.v1.content/blobs/sha256" / digest.hex
    size = path.stat().st_size
    path.chmod(0o644)
    path.write_bytes(os.urandom(size))
