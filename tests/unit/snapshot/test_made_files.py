"""Files that a step makes from text, where a copy would put them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.graph import File, MakeDirectory, MakeFile, Owner
from builder.snapshot.copy import FilePlan
from builder.snapshot.errors import PathConflict
from builder.snapshot.stack import EMPTY

if TYPE_CHECKING:
    from builder.snapshot.entry import Node

NOW = 7_000_000_000


def made(*actions: MakeFile | MakeDirectory) -> dict[str, Node]:
    plan = FilePlan(File(base=None, actions=actions), ())
    assert plan.content_key(lambda _node: pytest.fail("nothing is read")) is None
    nodes = plan.nodes(EMPTY, now_ns=NOW, scratch=Path("/nonexistent"))
    return {node.entry.path: node for node in nodes}


def test_a_file_has_its_content_and_the_time_of_the_step() -> None:
    node = made(MakeFile(name="F", content="é\n", destination="/d/x"))["d/x"]
    assert (node.entry.mode, node.entry.uid, node.entry.gid) == (0o644, 0, 0)
    assert (node.entry.size, node.entry.mtime_ns) == (3, NOW)
    assert node.content is not None
    with node.content.open() as stream:
        assert stream.read() == "é\n".encode()


@pytest.mark.parametrize("destination", ["/d/", "/d"])
def test_a_directory_gets_a_file_of_the_own_name(destination: str) -> None:
    nodes = made(MakeDirectory(path="/d"), MakeFile(name="F", content="", destination=destination))
    assert nodes["d/F"].entry.kind == "file"


def test_mode_owner_and_time_are_those_of_the_action() -> None:
    action = MakeFile(name="F", content="", destination="/x", mode="u+x", owner=Owner(1, 2), mtime=3)
    entry = made(action)["x"].entry
    assert (entry.mode, entry.uid, entry.gid, entry.mtime_ns) == (0o744, 1, 2, 3_000_000_000)


def test_a_file_does_not_replace_a_directory() -> None:
    with pytest.raises(PathConflict, match="cannot replace to directory"):
        made(MakeDirectory(path="/d/F"), MakeFile(name="F", content="", destination="/d"))
