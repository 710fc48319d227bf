"""Repositories over ssh, with a real server and a real agent; submodules; agents lent to commands."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from servers import git, git_daemon, ssh_agent, ssh_server

from builder.executor.relay import NAME, agent_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from building import Outcome, Project

pytestmark = pytest.mark.root


class Host:
    """A server of repositories over ssh, and the home directory of who asks it."""

    def __init__(self, folder: Path, port: int, repository: Path) -> None:
        self.folder = folder
        self.port = port
        self.address = f"ssh://root@127.0.0.1:{port}{repository}"
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True)

    def know(self, key: str) -> None:
        """Lets the caller know this host by the public key `key`."""
        text = (self.folder / f"{key}.pub").read_text()
        (self.home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{self.port} {text}")


@pytest.fixture
def host(tmp_path: Path, repository: Path) -> Iterator[Host]:
    if shutil.which("sshd", path="/usr/sbin") is None:
        pytest.skip("openssh-server is not installed")
    folder = tmp_path / "ssh"
    folder.mkdir()
    with ssh_server(folder) as port:
        yield Host(folder, port, repository)


def build(project: Project, host: Host, *options: str, text: str = "") -> Outcome:
    arguments = project.build_arguments(
        text or f"FROM scratch\nADD {host.address} /d/\n", "-t", "x", *options
    )
    return project.dockyard(*arguments, environment={"HOME": str(host.home)})


def test_a_repository_over_ssh_is_opened_by_the_agent_that_was_lent(project: Project, host: Host) -> None:
    with ssh_agent(host.folder, "user") as agent:
        outcome = build(project, host, "--ssh", f"default={agent}")
    assert outcome.code == 0, outcome.err


def test_a_repository_over_ssh_is_a_context(project: Project, host: Host, repository: Path) -> None:
    (repository / "Dockerfile").write_text("FROM scratch\nCOPY f /f\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "dockerfile")
    with ssh_agent(host.folder, "user") as agent:
        environment = {"HOME": str(host.home), "SSH_AUTH_SOCK": str(agent)}
        outcome = project.dockyard("build", "-t", "x", host.address, environment=environment)
    assert outcome.code == 0, outcome.err


def test_without_an_agent_the_error_says_how_to_lend_one(project: Project, host: Host) -> None:
    outcome = build(project, host)
    assert (
        outcome.code == 1
        and 'no SSH key "default" forwarded' in outcome.err
        and "--ssh default" in outcome.err
    )


def test_keys_of_the_caller_that_were_not_lent_open_nothing(project: Project, host: Host) -> None:
    shutil.copy(host.folder / "user", host.home / ".ssh/id_ed25519")
    with ssh_agent(host.folder, "other") as agent:
        outcome = build(project, host, "--ssh", f"default={agent}")
    assert outcome.code == 1 and "Permission denied" in outcome.err


def test_a_host_that_the_caller_knows_must_be_the_one(project: Project, host: Host) -> None:
    with ssh_agent(host.folder, "user") as agent:
        host.know("host")
        assert build(project, host, "--ssh", f"default={agent}").code == 0
        host.know("other")
        outcome = build(project, host, "--ssh", f"default={agent}", "--no-cache")
    assert outcome.code == 1 and "Host key verification failed" in outcome.err


def test_a_host_that_nobody_knows_is_not_remembered(project: Project, host: Host) -> None:
    with ssh_agent(host.folder, "user") as agent:
        assert build(project, host, "--ssh", f"default={agent}").code == 0
    assert not (host.home / ".ssh/known_hosts").exists()


# Agents of commands.


def test_a_command_finds_a_socket_with_the_owner_and_mode_that_it_asks_for(
    project: Project, host: Host
) -> None:
    text = "FROM busybox\nRUN --mount=type=ssh,mode=0660,uid=7,gid=8 stat -c '%a %u %g %F' $SSH_AUTH_SOCK > /out\n"
    with ssh_agent(host.folder, "user") as agent:
        image = project.image(text, "--ssh", f"default={agent}")
        owner = agent.stat()
    assert image.text("out") == "660 7 8 socket\n"
    assert (owner.st_uid, owner.st_mode & 0o777) == (0, 0o600)


def test_the_socket_of_a_step_leads_to_the_agent(host: Host, tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30)
    directory.mkdir()
    with (
        ssh_agent(host.folder, "user") as agent,
        agent_socket(agent, directory, mode=0o600, uid=0, gid=0),
    ):
        (tmp_path / "short").symlink_to(directory)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(tmp_path / "short" / NAME)}
        listed = subprocess.run(
            ["ssh-add", "-L"], env=environment, capture_output=True, text=True, check=True
        )
    assert listed.stdout.split()[1] == (host.folder / "user.pub").read_text().split()[1]


# Submodules.


@pytest.fixture
def nested(tmp_path: Path, repository: Path) -> Iterator[str]:
    """The address of a repository with `repository` as the submodule `s`, by a relative URL."""
    outer = tmp_path / "served" / "outer.git"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", "--", str(repository), "s")
    modules = (outer / ".gitmodules").read_text()
    (outer / ".gitmodules").write_text(modules.replace(str(repository), "../r.git"))
    git(outer, "commit", "-qam", "outer")
    with git_daemon(outer.parent) as folder:
        yield f"{folder}/outer.git"


def test_submodules_come_along_without_their_metadata(project: Project, nested: str) -> None:
    image = project.image(f"FROM scratch\nADD {nested} /d/\n")
    assert image.text("d/s/f") == "two" and not [name for name in image.files if name.endswith("/.git")]


def test_submodules_stay_away_on_request(project: Project, nested: str) -> None:
    image = project.image(f"FROM scratch\nADD {nested}?submodules=false /d/\n")
    assert "d/s/f" not in image.content and "d/.gitmodules" in image.content


@pytest.mark.parametrize(
    "url", ["/etc", "file:///etc", "ext::sh -c 'touch /canary-sub'", "-u./x", "--upload-pack=x"]
)
def test_a_submodule_reaches_nothing_of_this_machine(
    project: Project, nested: str, tmp_path: Path, url: str
) -> None:
    outer = tmp_path / "served" / "outer.git"
    (outer / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = {url}\n')
    git(outer, "commit", "-qam", "evil")
    outcome = project.build(f"FROM scratch\nADD {nested} /d/\n", "-t", "x")
    assert outcome.code == 1 and "Traceback" not in outcome.err


def test_a_submodule_cannot_stand_in_the_metadata(project: Project, nested: str, tmp_path: Path) -> None:
    outer = tmp_path / "served" / "outer.git"
    modules = (outer / ".gitmodules").read_text().replace('submodule "s"', 'submodule "../../evil"')
    (outer / ".gitmodules").write_text(modules)
    git(outer, "commit", "-qam", "evil")
    outcome = project.build(f"FROM scratch\nADD {nested} /d/\n", "-t", "x")
    assert "Traceback" not in outcome.err and not (project.root / "evil").exists()
