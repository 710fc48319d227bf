"""`dockyard verify --policy`: what it prints, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from command import Command


@pytest.fixture
def image(command: Command) -> str:
    command.make_image("docker.io/library/app:1", platforms=("linux/amd64", "linux/arm64"))
    return "app:1"


def _policy(folder: Path, text: str) -> str:
    (folder / "policy.toml").write_text(text)
    return str(folder / "policy.toml")


def test_an_image_that_a_policy_allows_ends_with_0(command: Command, image: str, tmp_path: Path) -> None:
    said = command("verify", "--policy", _policy(tmp_path, 'platforms = ["linux/arm64"]'), image)
    assert said.code == 0
    assert "is there [platforms]" in said.out


def test_an_image_that_a_policy_does_not_allow_ends_with_1_and_its_rule(
    command: Command, image: str, tmp_path: Path
) -> None:
    policy = _policy(tmp_path, '[attestations]\nrequired = ["sbom"]\n')
    said = command("verify", "--policy", policy, "--format", "json", image)
    failed = [each for each in json.loads(said.out)["findings"] if each["state"] == "failed"]
    assert said.code == 1
    assert {(each["platform"], each["rule"], each["hint"]) for each in failed} == {
        (platform, "attestations.required", "build it with --sbom=true")
        for platform in ("linux/amd64", "linux/arm64")
    }


def test_all_of_several_policies_must_hold(command: Command, image: str, tmp_path: Path) -> None:
    good = _policy(tmp_path, "")
    (tmp_path / "other.toml").write_text('platforms = ["linux/s390x"]')
    assert command("verify", "--policy", good, "--policy", str(tmp_path / "other.toml"), image).code == 1


def test_a_policy_that_is_wrong_is_wrong_usage_and_shows_its_line(
    command: Command, image: str, tmp_path: Path
) -> None:
    said = command("verify", "--policy", _policy(tmp_path, "\n[label]\na = 1\n"), image)
    assert said.code == 2
    assert ">>> [label]" in said.err
    assert "label: no such key; did you mean 'labels'?" in said.err
