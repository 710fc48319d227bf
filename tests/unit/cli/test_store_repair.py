"""`store gc --repair`: what the check complains of is put right, and said."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from builder.oci.digest import Digest
from builder.store.selection import open_store

if TYPE_CHECKING:
    from command import Command

NAME = "docker.io/library/hello:1"
SOUND = (0, "The store is sound.\n", "")


def damage(command: Command, content: bytes) -> None:
    for part in ("-wal", "-shm"):
        (command.root / f"dockyard.db{part}").unlink(missing_ok=True)
    database = command.root / "dockyard.db"
    database.write_bytes(content + database.read_bytes()[len(content) : 6000])


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"", b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_database_is_moved_aside_and_made_anew(command: Command, content: bytes) -> None:
    target = command.make_image(NAME, platforms=("linux/amd64", "linux/arm64"))
    damage(command, content)

    assert "store gc --repair" in command("images").err
    said = command("store", "gc", "--repair")

    assert said.code == 0, said.err
    assert "names of images and the cache are lost" in said.out
    assert f"is now docker.io/library/recovered:{target.digest[7:19]}" in said.out
    assert command("store", "gc", "--check", "--verify") == SOUND
    assert any(name.startswith("dockyard.db.damaged-") for name in os.listdir(command.root))
    assert target.digest[7:19] in command("images").out


def test_a_running_build_is_in_the_way_of_a_new_database(command: Command) -> None:
    command.make_image(NAME)
    damage(command, b"garbage" * 1000)
    with (command.root / "leases" / "held.lock").open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        said = command("store", "gc", "--repair")
    assert said.code == 1 and "while builds are running" in said.err


def test_a_missing_blob_takes_the_name_of_its_image(command: Command) -> None:
    target = command.make_image(NAME)
    with open_store(command.root) as store:
        store.root.blob(target.digest.hex).unlink()
        store.root.blobs.joinpath("stray").touch()

    said = command("store", "gc", "--repair")

    assert f"image {NAME} is incomplete" in said.out and "stray is no blob" in said.out
    assert command("store", "gc", "--check") == SOUND


def test_a_blob_with_other_bytes_is_found_with_verify(command: Command) -> None:
    command.make_image(NAME)
    layer = Digest.of(b"linux/amd6")
    (command.root / "content/blobs/sha256" / layer.hex).write_bytes(b"0123456789")

    assert command("store", "gc", "--repair").out == "The store is sound.\n"
    assert f"blob {layer} was damaged" in command("store", "gc", "--repair", "--verify").out


def test_labels_that_keep_the_parts_of_an_image_are_set_again(command: Command) -> None:
    target = command.make_image(NAME, platforms=("linux/amd64", "linux/arm64"))
    with open_store(command.root) as store, store.database.write() as cursor:
        cursor.execute("UPDATE content SET labels = '{}' WHERE digest = ?", (target.digest,))
    assert f"{target.digest} has no label that keeps" in command("store", "gc", "--check").out

    said = command("store", "gc", "--repair")

    assert f"labels of {target.digest} that keep parts of {NAME} were missing" in said.out
    assert command("store", "gc", "--check", "--verify") == SOUND
    assert command("inspect", NAME).code == 0


def test_a_store_that_is_sound_stays_as_it_is(command: Command) -> None:
    command.make_image(NAME)
    assert command("store", "gc", "--repair", "--verify") == SOUND
    assert "hello" in command("images").out
