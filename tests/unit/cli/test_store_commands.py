"""store: choosing between image stores, and checking them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from builder.store.selection import open_store

if TYPE_CHECKING:
    from command import Command


def test_the_containerd_store_is_active_at_first(command: Command) -> None:
    lines = command("store", "ls").out.splitlines()

    assert lines[0].split() == ["NAME", "STORE", "IMAGES", "SIZE"]
    assert [line.split()[:2] for line in lines[1:]] == [["containerd", "*"], ["docker", "classic"]]


def test_images_of_a_store_are_hidden_while_another_is_active(command: Command) -> None:
    command.make_image("docker.io/library/hello:1")

    assert command("store", "use", "docker").code == 0
    assert len(command("images").out.splitlines()) == 1
    assert command("store", "use", "containerd").code == 0
    assert len(command("images").out.splitlines()) == 2


def test_an_unknown_store_is_wrong_usage(command: Command) -> None:
    said = command("store", "use", "podman")

    assert said.code == 2
    assert "podman" in said.err


def test_info_says_what_the_active_store_can_hold(command: Command) -> None:
    command("store", "use", "docker")

    assert "Multi-platform: no\n" in command("store", "info").out
    assert json.loads(command("store", "info", "--format", "json").out)["driver"]["name"] == "docker"


def test_a_sound_store_is_called_so(command: Command) -> None:
    command.make_image("docker.io/library/hello:1")

    assert command("store", "gc", "--check", "--verify") == (0, "The store is sound.\n", "")


def test_a_missing_blob_makes_the_check_fail_with_its_digest(command: Command) -> None:
    target = command.make_image("docker.io/library/hello:1")
    with open_store(command.root) as store:
        store.root.blob(target.digest.hex).unlink()

    said = command("store", "gc", "--check")

    assert said.code == 1
    assert target.digest in said.out


def test_verifying_without_checking_is_wrong_usage(command: Command) -> None:
    assert command("store", "gc", "--verify").code == 2
