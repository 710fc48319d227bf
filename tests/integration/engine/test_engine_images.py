"""Image commands on real Docker Engines: the same words, whoever keeps the images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from conftest import Peer, Project

    from tests.integration.conftest import RunDockyard

pytestmark = pytest.mark.root


class AtEngine(NamedTuple):
    """The command with the docker driver, and `peer` with the image `words:1` of `project`, whose ID is `built`."""

    run: RunDockyard
    project: Project
    peer: Peer
    built: str

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(*words, environment={"DOCKER_HOST": self.peer.host})

    def says(self, *words: str) -> str:
        """What the command writes when it succeeds."""
        done = self(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def at_engine(dockyard: RunDockyard, project: Project, peer: Peer) -> AtEngine:
    built = project.must_build(peer, "-t", "words:1", "--load")
    command = AtEngine(dockyard, project, peer, built)
    command.says("store", "use", "docker")
    return command


def test_the_list_shows_what_the_engine_has(at_engine: AtEngine) -> None:
    rows = map(json.loads, at_engine.says("images", "--format", "json").splitlines())
    found = next(row for row in rows if (row["name"], row["tag"]) == ("words", "1"))
    assert (found["id"], found["platforms"]) == (at_engine.built, ["linux/amd64"])
    assert found["size"] > 1_000_000


def test_one_word_asks_the_engine_whatever_store_is_active(at_engine: AtEngine) -> None:
    at_engine("store", "use", "containerd")
    assert "words" in at_engine.says("images", "--driver", "docker")
    assert "words" not in at_engine.says("images", "--driver", "classic")


def test_the_classic_store_can_be_chosen_although_an_engine_listens(at_engine: AtEngine) -> None:
    at_engine.says("store", "use", "classic")
    assert "words" not in at_engine.says("images")
    at_engine.says("store", "use", "docker")
    assert "words" in at_engine.says("images", "--tree")


def test_names_are_given_and_taken_at_the_engine(at_engine: AtEngine) -> None:
    at_engine.says("tag", at_engine.built[:19], "example.org/again:2")
    assert at_engine.peer.images()["example.org/again:2"] == at_engine.built
    assert at_engine.says("rmi", "example.org/again:2") == "Untagged: example.org/again:2\n"
    assert "example.org/again:2" not in at_engine.peer.images()


def test_an_image_in_use_is_not_removed_and_the_engine_says_why(at_engine: AtEngine) -> None:
    container = at_engine.peer.docker("create", "--network=none", "words:1")
    done = at_engine("rmi", "words:1")
    at_engine.peer.docker("rm", container)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: docker rmi failed at unix://") and "conflict" in done.stderr


def test_inspect_shows_the_graph_of_an_image_at_the_engine(at_engine: AtEngine) -> None:
    node = json.loads(at_engine.says("inspect", "--format", "json", "words:1"))
    assert [child["kind"] for child in node["children"]] == ["config", "layer", "layer"]
    assert at_engine.built in (node["descriptor"]["digest"], node["children"][0]["descriptor"]["digest"])


def test_what_the_engine_saves_it_loads_again_under_any_name(at_engine: AtEngine, tmp_path: Path) -> None:
    archive = str(tmp_path / "saved.tar")
    at_engine.says("save", "-o", archive, "words:1")
    at_engine.says("rmi", "-f", at_engine.built)
    assert at_engine.says("load", "-i", archive, "-t", "back:1") == "Loaded image: back:1\n"
    assert at_engine.peer.images()["back:1"] == at_engine.built


def test_an_image_moves_out_of_the_engine(at_engine: AtEngine) -> None:
    at_engine.says("tag", "words:1", "leaves:1")
    at_engine.says("store", "move", "leaves:1", "--to", "embedded")
    assert "leaves:1" not in at_engine.peer.images()
    assert "leaves" in at_engine.says("images", "--driver", "containerd")


def test_an_image_that_the_engine_has_is_not_sent_again(at_engine: AtEngine) -> None:
    at_engine("store", "use", "containerd")
    at_engine.project.must_build(at_engine.peer, "-t", "known:1", "--provenance=false")
    said = at_engine.says("store", "move", "known:1", "--to", "docker")
    assert said == "Moved docker.io/library/known:1 to docker (sent 0B)\n"


def test_an_index_that_the_engine_has_whole_is_not_sent_again(
    dockyard: RunDockyard, busybox_layout: Path, containerd: Peer
) -> None:
    at_engine = {"DOCKER_HOST": containerd.host}
    sent = []
    for name in ("index:1", "index:2"):
        dockyard("load", "-q", "-i", str(busybox_layout), "-t", name)
        sent.append(dockyard("store", "move", name, "--to", "docker", environment=at_engine).stdout)
    assert sent[1] == "Moved docker.io/library/index:2 to docker (sent 0B)\n"
    assert containerd.images()["index:2"] == containerd.images()["index:1"]
