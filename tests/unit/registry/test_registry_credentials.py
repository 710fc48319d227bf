"""Credentials: Docker's file, its helpers, and nothing that shows a secret."""

from __future__ import annotations

import base64
import json
import stat
from typing import TYPE_CHECKING

import pytest

from builder.registry.credentials import Credentials, CredentialStore
from builder.registry.errors import InvalidConfiguration

if TYPE_CHECKING:
    from pathlib import Path

ANN = Credentials(username="ann", password="s3:cret")
ANN_AUTH = base64.b64encode(b"ann:s3:cret").decode()
HUB = "https://index.docker.io/v1/"


def store(tmp_path: Path, **config: object) -> CredentialStore:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return CredentialStore({"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"})


def add_helper(tmp_path: Path, name: str, script: str) -> None:
    program = tmp_path / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    "key", ["reg.example:5000", "https://reg.example:5000", "https://reg.example:5000/v1/"]
)
def test_a_server_is_found_in_every_spelling(tmp_path: Path, key: str) -> None:
    assert store(tmp_path, auths={key: {"auth": ANN_AUTH}}).find("reg.example:5000") == ANN


@pytest.mark.parametrize("server", ["registry-1.docker.io", "docker.io", "index.docker.io"])
def test_docker_hub_has_a_key_of_its_own(tmp_path: Path, server: str) -> None:
    assert store(tmp_path, auths={HUB: {"auth": ANN_AUTH}}).find(server) == ANN


def test_another_port_is_another_server(tmp_path: Path) -> None:
    assert store(tmp_path, auths={"reg.example:5000": {"auth": ANN_AUTH}}).find("reg.example") is None


def test_tokens_are_read_beside_passwords(tmp_path: Path) -> None:
    entry = {"identitytoken": "identity", "registrytoken": "direct"}
    assert store(tmp_path, auths={"r": entry}).find("r") == Credentials(
        identity_token="identity", registry_token="direct"
    )


def test_nothing_is_found_where_there_is_no_file(tmp_path: Path) -> None:
    assert CredentialStore({"HOME": str(tmp_path)}).find("reg.example") is None


def test_an_empty_entry_is_no_credentials(tmp_path: Path) -> None:
    assert store(tmp_path, auths={"r": {}}).find("r") is None


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"r": {"username": "bob", "password": "x"}}}))
    environment = {
        "DOCKER_CONFIG": str(tmp_path),
        "DOCKER_AUTH_CONFIG": json.dumps({"auths": {"r": {"auth": ANN_AUTH}}}),
    }
    assert CredentialStore(environment).find("r") == ANN


@pytest.mark.parametrize(
    "auth", ["not base64!", base64.b64encode(b"nocolon").decode(), base64.b64encode(b":x").decode()]
)
def test_a_damaged_entry_is_named_but_not_shown(tmp_path: Path, auth: str) -> None:
    with pytest.raises(InvalidConfiguration, match="the credentials for r are not") as caught:
        store(tmp_path, auths={"r": {"auth": auth}}).find("r")
    assert auth not in str(caught.value)


def test_a_damaged_file_is_named_but_not_shown(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"auths": {"r": {"auth": "c2VjcmV0"')

    with pytest.raises(InvalidConfiguration, match=r"config\.json") as caught:
        CredentialStore({"DOCKER_CONFIG": str(tmp_path)}).find("r")
    assert "c2VjcmV0" not in str(caught.value)


def test_a_helper_is_asked_for_its_server(tmp_path: Path) -> None:
    add_helper(tmp_path, "safe", 'read key; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$key\\"}"')

    found = store(tmp_path, credsStore="safe").find("reg.example")
    assert found == Credentials(username="get", password="reg.example")


def test_the_helper_of_one_server_wins_over_that_of_all(tmp_path: Path) -> None:
    add_helper(tmp_path, "all", 'echo \'{"Username":"all","Secret":"x"}\'')
    add_helper(tmp_path, "one", 'echo \'{"Username":"one","Secret":"x"}\'')

    opened = store(tmp_path, credsStore="all", credHelpers={"r": "one"})
    assert [opened.find(server).username for server in ("r", "s")] == ["one", "all"]  # type: ignore[union-attr]


def test_a_helper_may_hold_an_identity_token(tmp_path: Path) -> None:
    add_helper(tmp_path, "safe", 'echo \'{"Username":"<token>","Secret":"identity"}\'')

    assert store(tmp_path, credsStore="safe").find("r") == Credentials(identity_token="identity")


def test_a_helper_that_knows_nothing_leaves_it_to_the_file(tmp_path: Path) -> None:
    add_helper(tmp_path, "safe", "echo credentials not found in native keychain; exit 1")

    opened = store(tmp_path, credsStore="safe", auths={"r": {"auth": ANN_AUTH}})
    assert (opened.find("r"), opened.find("s")) == (ANN, None)


def test_a_helper_that_fails_says_why(tmp_path: Path) -> None:
    add_helper(tmp_path, "safe", "echo the safe is locked; exit 1")

    with pytest.raises(InvalidConfiguration, match="the safe is locked"):
        store(tmp_path, credsStore="safe").find("r")


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="docker-credential-gone"):
        store(tmp_path, credsStore="gone").find("r")


def test_a_helper_cannot_be_a_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be the name"):
        store(tmp_path, credsStore="../../bin/sh").find("r")


def test_what_a_helper_says_wrongly_is_not_shown(tmp_path: Path) -> None:
    add_helper(tmp_path, "safe", "echo 'password=canary'")

    with pytest.raises(InvalidConfiguration) as caught:
        store(tmp_path, credsStore="safe").find("r")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_representation_shows_a_secret() -> None:
    shown = f"{ANN!r} {ANN} {[ANN]}"
    assert "cret" not in shown
