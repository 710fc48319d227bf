"""store move: an image is in one store or the other, and never in none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.store.selection import open_store

if TYPE_CHECKING:
    from command import Command

HELLO = "docker.io/library/hello:1"


def names(command: Command, driver: str) -> list[str]:
    with open_store(command.root, driver=driver) as store:
        return [image.name for image in store.images.all()]


def test_an_image_moves_to_the_classic_store_without_a_byte_sent(command: Command) -> None:
    command.make_image(HELLO)

    assert (
        command("store", "move", "hello:1", "--to", "classic").out == f"Moved {HELLO} to classic (sent 0B)\n"
    )
    assert (names(command, "embedded"), names(command, "classic")) == ([], [HELLO])


def test_a_moved_image_comes_back_whole(command: Command) -> None:
    target = command.make_image(HELLO)
    command("store", "move", "hello:1", "--to", "classic")
    command("store", "use", "classic")
    command("store", "gc")

    assert command("store", "move", "hello:1", "--to", "embedded").code == 0
    command("store", "use", "containerd")
    assert command("images", "-q", "--no-trunc").out == f"{target.digest}\n"
    assert command("store", "gc", "--check", "--verify").code == 0


def test_an_index_is_refused_by_the_classic_store_and_stays_where_it_is(command: Command) -> None:
    command.make_image(HELLO, platforms=("linux/amd64", "linux/arm64"))

    said = command("store", "move", "hello:1", "--to", "classic")

    assert said.code == 1
    assert said.err.startswith("ERROR: Multi-platform build is not supported for the docker driver.\n")
    assert (names(command, "embedded"), names(command, "classic")) == ([HELLO], [])


@pytest.mark.parametrize("to", ["embedded", "containerd"])
def test_moving_to_the_same_store_does_not_lose_the_image(command: Command, to: str) -> None:
    command.make_image(HELLO)

    said = command("store", "move", "hello:1", "--to", to)

    assert said.code == 2 and "in that store already" in said.err
    assert names(command, "embedded") == [HELLO]


def test_an_image_of_which_a_blob_is_missing_stays_where_it_is(command: Command) -> None:
    target = command.make_image(HELLO)
    with open_store(command.root) as store:
        store.root.blob(target.digest.hex).unlink()

    assert command("store", "move", "hello:1", "--to", "classic").code == 1
    assert names(command, "embedded") == [HELLO]


def test_an_unknown_target_is_wrong_usage(command: Command) -> None:
    command.make_image(HELLO)

    said = command("store", "move", "hello:1", "--to", "podman")

    assert said.code == 2 and "no store 'podman'" in said.err


def test_the_list_shows_the_images_of_stores_that_are_not_active(command: Command) -> None:
    command.make_image(HELLO)
    command("store", "use", "docker")

    assert f"containerd image store, embedded:\n  {HELLO}\n" in command("store", "ls", "--images").out
