"""`--secret` and `--ssh`: what people type, and what is refused before any work."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from builder.cli.session_values import agents, secrets
from builder.system.errors import DockyardError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def value(word: str, **environ: str) -> tuple[str, bytes]:
    ((name, secret),) = secrets([word], environ).items()
    return name, secret() if callable(secret) else secret


def test_a_secret_is_read_from_its_file_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    given = secrets([f"id=a,src={path}"], {})["a"]
    path.write_bytes(b"two")
    assert callable(given) and given() == b"two"


@pytest.mark.parametrize("word", ["id=a,env=V", "type=env,id=a,src=V", "id=V"])
def test_a_secret_may_come_from_the_environment(word: str) -> None:
    assert value(word, V="x")[1] == b"x"


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("src=x", "secret missing ID"),
        ("id", "must be a key=value pair"),
        ("id=a,foo=b", "unexpected key 'foo'"),
        ("id=a,type=x", "unsupported secret type 'x'"),
        ("id=a,src=/nonexistent/x", "cannot read /nonexistent/x"),
        ("id=a,src=/", "is not a file"),
    ],
)
def test_a_secret_that_is_wrong_says_what_is_wrong(word: str, problem: str) -> None:
    with pytest.raises(UsageError, match="--secret") as raised:
        secrets([word], {})
    assert problem in raised.value.message


def test_a_secret_of_any_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"")
    given = secrets([f"id=a,src={path}"], {})["a"]
    with path.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(UsageError, match="larger than"):
        secrets([f"id=a,src={path}"], {})
    assert callable(given)
    with pytest.raises(DockyardError, match="larger than"):
        given()


def test_an_agent_is_that_of_the_environment_or_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert agents(["default", f"other={path}"], {"SSH_AUTH_SOCK": str(path)}) == {
            "default": path,
            "other": path,
        }


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("default", "SSH_AUTH_SOCK is set"),
        ("a=/etc/passwd", "key file"),
        ("a=/nonexistent/x", "no agent's socket"),
    ],
)
def test_an_agent_that_is_none_is_refused(word: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        agents([word], {})
