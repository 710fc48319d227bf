"""images, tag, rmi: what a person does with names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from builder.oci.digest import Digest
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from command import Command

HELLO = "docker.io/library/hello:1"


def names(command: Command) -> list[str]:
    with open_store(command.root) as store:
        return [image.name for image in store.images.all()]


def test_the_list_shows_an_index_with_all_its_platforms(command: Command) -> None:
    target = command.make_image(HELLO, platforms=("linux/amd64", "linux/arm64"))

    header, row = command("images").out.splitlines()
    assert header.split() == ["IMAGE", "ID", "NAME", "TAG", "PLATFORMS", "SIZE", "CREATED"]
    assert row.split()[:4] == [target.digest.hex[:12], "hello", "1", "linux/amd64,linux/arm64"]


def test_the_list_as_json_has_one_object_a_line(command: Command) -> None:
    target = command.make_image(HELLO, "example.org/a/b:2")

    rows = [json.loads(line) for line in command("images", "--format", "json").out.splitlines()]
    assert [(row["name"], row["tag"]) for row in rows] == [("example.org/a/b", "2"), ("hello", "1")]
    assert rows[0]["id"] == target.digest
    assert rows[0]["created"] == "2026-01-02T03:04:05Z"
    assert rows[0]["size"] > target.size + 10


def test_quiet_lists_digests_for_other_commands(command: Command) -> None:
    target = command.make_image(HELLO)

    assert command("images", "-q").out == f"{target.digest.hex[:12]}\n"
    assert command("images", "-q", "--no-trunc").out == f"{target.digest}\n"


def test_a_broken_image_does_not_hide_the_others_from_the_list(command: Command) -> None:
    command.make_image(HELLO)
    broken = command.make_image("docker.io/library/broken:1", platforms=("linux/s390x",))
    with open_store(command.root) as store:
        store.root.blob(broken.digest.hex).unlink()

    said = command("images")

    assert said.code == 0
    assert [line.split()[1] for line in said.out.splitlines()[1:]] == ["broken", "hello"]


def test_a_tag_is_one_more_name_for_the_same_image(command: Command) -> None:
    command.make_image(HELLO)

    assert command("tag", "hello:1", "other").code == 0
    assert names(command) == [HELLO, "docker.io/library/other:latest"]


def test_an_image_is_found_by_the_first_digits_of_its_digest(command: Command) -> None:
    target = command.make_image(HELLO)

    for text in (target.digest, target.digest.hex, target.digest.hex[:12], f"sha256:{target.digest.hex[:6]}"):
        assert command("tag", text, "again").code == 0


def test_an_unknown_image_is_named_with_what_to_do(command: Command) -> None:
    said = command("tag", "nobody:1", "x")

    assert said.code == 1
    assert said.err.startswith("ERROR: no such image: nobody:1\n")


def test_a_malformed_name_is_no_name_of_an_image(command: Command) -> None:
    command.make_image(HELLO)

    assert "invalid reference format" in command("tag", "hello:1", "Not Valid").err


def test_removing_a_name_leaves_the_others(command: Command) -> None:
    command.make_image(HELLO, "docker.io/library/other:1")

    assert command("rmi", "hello:1").out == f"Untagged: {HELLO}\n"
    assert names(command) == ["docker.io/library/other:1"]


def test_removing_several_removes_none_when_one_is_unknown(command: Command) -> None:
    command.make_image(HELLO)

    assert command("rmi", "hello:1", "nobody").code == 1
    assert names(command) == [HELLO]


def test_an_image_with_several_names_is_removed_by_digest_only_with_force(command: Command) -> None:
    target = command.make_image(HELLO, "docker.io/library/other:1")

    refused = command("rmi", target.digest)
    assert refused.code == 1
    assert "has several names" in refused.err
    assert command("rmi", "--force", target.digest).code == 0
    assert names(command) == []


def test_a_saved_image_comes_back_with_its_name_and_digest(command: Command, tmp_path: Path) -> None:
    target = command.make_image(HELLO, platforms=("linux/amd64", "linux/arm64"))
    archive = str(tmp_path / "hello.tar")
    assert command("save", "-o", archive, "hello:1").code == 0
    elsewhere = command.on(tmp_path / "elsewhere")

    assert elsewhere("load", "-i", archive).out == "Loaded image: hello:1\n"
    assert elsewhere("images", "-q", "--no-trunc").out == f"{target.digest}\n"


def test_a_loaded_image_takes_the_name_of_the_caller(command: Command, tmp_path: Path) -> None:
    command.make_image(HELLO)
    archive = str(tmp_path / "hello.tar")
    command("save", "-o", archive, "hello:1")
    elsewhere = command.on(tmp_path / "elsewhere")

    assert elsewhere("load", "-i", archive, "-t", "mine:2").out == "Loaded image: mine:2\n"
    assert names(elsewhere) == ["docker.io/library/mine:2"]


def test_a_file_that_is_no_archive_is_refused_by_name(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello\n")

    said = command("load", "-i", str(path))

    assert said.code == 1
    assert str(path) in said.err


def test_nothing_is_saved_when_one_of_the_images_is_unknown(command: Command, tmp_path: Path) -> None:
    command.make_image(HELLO)

    assert command("save", "-o", str(tmp_path / "out.tar"), "hello:1", "nobody").code == 1
    assert not (tmp_path / "out.tar").exists()


def test_inspect_shows_the_graph_of_an_image_as_a_tree(command: Command) -> None:
    target = command.make_image(HELLO, platforms=("linux/amd64", "linux/arm64"))

    lines = command("inspect", "hello:1").out.splitlines()

    assert lines[0] == HELLO
    assert lines[1].startswith(f"index  {target.digest}")
    assert [line.split("  ")[0] for line in lines if "manifest" in line] == [
        "├── manifest linux/amd64",
        "└── manifest linux/arm64",
    ]


def test_inspect_gives_the_same_graph_as_json(command: Command) -> None:
    target = command.make_image(HELLO)

    node = json.loads(command("inspect", "--format", "json", "hello:1").out)
    assert (node["kind"], node["descriptor"]["digest"]) == ("manifest", target.digest)
    assert [child["kind"] for child in node["children"]] == ["config", "layer"]


def test_inspect_raw_gives_the_stored_bytes(command: Command) -> None:
    target = command.make_image(HELLO)

    assert Digest.of(command("inspect", "--raw", "hello:1").out.encode()) == target.digest
