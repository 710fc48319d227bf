"""`RUN --mount`: what commands see through mounts, what they leave, and what counts for the cache."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import tarfile
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root
CANARY = "canary-83e1b0"


def made_by(project: Project, flags: str, command: str, *options: str, before: str = "") -> str:
    """What `command` says, with `flags` in front of it."""
    image = project.image(f"FROM busybox\n{before}\nRUN {flags} {command} > /out 2>&1\n", *options)
    assert names_of(image.layers[-1]) == {"out"}
    return image.text("out")


def names_of(layer: bytes) -> set[str]:
    """What a layer holds, its root left out."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return set(archive.getnames()) - {"", "."}


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that is in a folder: times, modes, bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (status.st_mtime_ns, status.st_mode, content)
    return found


# bind


def test_a_file_of_the_context_is_seen_and_not_in_the_layer(project: Project) -> None:
    project.write("in", "hello")
    image = project.image("FROM busybox\nRUN --mount=target=/mnt/in,source=in cat /mnt/in > /out\n")
    assert image.text("out") == "hello" and "mnt" not in image.files


def test_a_bind_of_the_context_cannot_be_written_to(project: Project) -> None:
    project.write("sub/in", "hello")
    assert "Read-only" in made_by(project, "--mount=target=/src", "sh -c 'echo x > /src/sub/in || true'")


def test_what_is_written_to_a_writable_bind_is_thrown_away(project: Project) -> None:
    project.write("in", "hello")
    before = snapshot(project.context)
    text = (
        "FROM busybox\nRUN --mount=target=/src,rw echo changed > /src/in && touch /src/new && cat /src/in > /out\n"
        "RUN --mount=target=/src cat /src/in >> /out; ls /src >> /out\n"
    )
    image = project.image(text)
    assert image.text("out") == "changed\nhelloDockerfile\nin\n"
    assert {**snapshot(project.context)} == {**before, **dockerfile_of(project)}


def dockerfile_of(project: Project) -> dict[str, tuple[int, int, bytes]]:
    return {key: value for key, value in snapshot(project.context).items() if key.endswith("Dockerfile")}


def test_ignored_files_are_not_seen_through_a_bind(project: Project) -> None:
    project.write("keep/a", "a")
    project.write("keep/secret", CANARY)
    project.write(".dockerignore", "keep/secret\nDockerfile\n.dockerignore\n")
    assert made_by(project, "--mount=target=/src", "find /src") == "/src\n/src/keep\n/src/keep/a\n"


def test_files_of_others_belong_to_root_in_a_bind(project: Project) -> None:
    os.chown(project.write("in", "x"), 1234, 1234)
    assert made_by(project, "--mount=target=/src", "stat -c %u /src/in") == "0\n"


def test_a_bind_from_a_stage_shows_its_files(project: Project) -> None:
    text = (
        "FROM busybox AS made\nRUN mkdir -p /d/e && echo made > /d/e/f\nFROM busybox\n"
        "RUN --mount=from=made,source=/d,target=/m cat /m/e/f > /out; touch /m/x || echo no >> /out\n"
    )
    assert project.image(text).text("out") == "made\nno\n"


def test_a_bind_from_an_image_shows_its_files(project: Project) -> None:
    text = "FROM busybox\nRUN --mount=from=busybox,target=/m,rw rm -r /m/bin && ls /m /bin > /out\n"
    assert "/bin:\n" in project.image(text).text("out")


def test_a_link_in_a_stage_does_not_lead_to_the_host(project: Project) -> None:
    text = (
        "FROM busybox AS evil\nRUN ln -s / /root-link && ln -s ../../../../.. /up && mkdir /d && ln -s /etc /d/l\n"
        "FROM busybox\nRUN --mount=from=evil,source=/{0},target=/m,rw touch /m/canary; ls /m > /out\n"
    )
    for source in ("root-link", "up"):
        listed = project.image(text.format(source)).text("out").split()
        assert {"canary", "root-link", "up"} <= set(listed)
    assert not os.path.lexists("/canary")


def test_a_link_out_of_the_context_leads_nowhere(project: Project) -> None:
    (project.context / "out-link").symlink_to("/etc")
    outcome = project.build("FROM busybox\nRUN --mount=source=out-link,target=/m ls /m\n", "-t", "x")
    assert outcome.code == 1 and '"/out-link": not found' in outcome.err


def test_a_missing_source_is_an_error_with_its_line(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN --mount=source=nope,target=/m true\n", "-t", "x")
    assert outcome.code == 1 and '"/nope": not found' in outcome.err and "Dockerfile:2" in outcome.err


def test_a_target_through_a_link_of_the_image_stays_in_the_image(project: Project) -> None:
    project.write("in", "hello")
    before = "RUN ln -s ../../../../../tmp /link"
    text = made_by(project, "--mount=target=/link/m", "cat /tmp/m/in", before=before)
    assert text == "hello" and not os.path.lexists("/tmp/m/in")


# the cache of builds


def test_a_change_outside_of_the_bound_paths_keeps_the_cache(project: Project) -> None:
    project.write("src/a", "a")
    project.write("other", "1")
    text = "FROM busybox\nRUN --mount=source=src,target=/src cat /src/a > /out\n"
    project.built(text, "-t", "x")
    project.write("other", "2")
    assert project.built(text, "-t", "x").executed == []
    project.write("src/a", "b")
    assert len(project.built(text, "-t", "x").executed) == 1


def test_a_stage_that_makes_the_same_files_again_keeps_the_cache(project: Project) -> None:
    project.write("n", "1")
    text = (
        "FROM busybox AS made\nCOPY n /n\nRUN mkdir /d && echo same > /d/f\nFROM busybox\n"
        "RUN --mount=from=made,source=/d,target=/m cat /m/f > /out\n"
    )
    project.built(text, "-t", "x")
    project.write("n", "2")
    executed = [step.partition("] ")[2].partition(" ")[0] for step in project.built(text, "-t", "x").executed]
    assert executed == ["COPY", "RUN"]


# tmpfs


def test_a_memory_mount_is_empty_limited_and_gone_afterwards(project: Project) -> None:
    text = (
        "FROM busybox\nRUN echo base > /var/f\n"
        "RUN --mount=type=tmpfs,target=/var,size=64k ls /var > /out; echo x > /var/new; "
        "df -k /var | tail -1 | awk '{print $2}' >> /out\n"
    )
    image = project.image(text)
    assert image.text("out") == "64\n" and image.text("var/f") == "base\n" and "var/new" not in image.files


# cache


def test_a_cache_survives_builds_and_is_in_no_layer(project: Project) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c echo x >> /c/a; wc -l < /c/a > /out\n"
    assert project.image(text).text("out") == "1\n"
    again = project.image(text, "--no-cache")
    assert again.text("out") == "2\n" and not [name for name in again.files if name.startswith("c/")]


def test_caches_are_told_apart_by_id_not_by_target(project: Project) -> None:
    text = (
        "FROM busybox\nRUN --mount=type=cache,id=one,target=/c touch /c/a\n"
        "RUN --mount=type=cache,id=two,target=/c ls /c > /out\n"
        "RUN --mount=type=cache,id=one,target=/elsewhere ls /elsewhere >> /out\n"
    )
    assert project.image(text).text("out") == "a\n"


@pytest.mark.parametrize("name", ["../../../../canary", "/etc", "a/b", "..", "\u00fc"])
def test_no_id_of_a_cache_names_a_path(project: Project, name: str) -> None:
    project.built(f"FROM busybox\nRUN --mount=type=cache,id={name},target=/c touch /c/canary\n", "-t", "x")
    found = list(project.root.rglob("canary"))
    assert [path.parent.parent for path in found] == [project.root / "cache-mounts"]
    assert len(found[0].parent.name) == 64


def test_a_new_cache_has_the_owner_and_mode_that_were_asked_for(project: Project) -> None:
    flags = "--mount=type=cache,target=/c,uid=12,gid=34,mode=0700"
    assert made_by(project, flags, "stat -c '%u %g %a' /c") == "12 34 700\n"


def test_a_cache_that_begins_with_files_keeps_what_is_written(project: Project) -> None:
    text = (
        "FROM busybox AS seed\nRUN mkdir /d && echo seed > /d/a\nFROM busybox\n"
        "RUN --mount=type=cache,from=seed,source=/d,target=/c cat /c/a > /out; echo more >> /c/a\n"
    )
    assert project.image(text).text("out") == "seed\n"
    assert project.image(text, "--no-cache").text("out") == "seed\nmore\n"


def test_a_link_in_a_cache_does_not_lead_out_of_it(project: Project) -> None:
    text = (
        "FROM busybox\nRUN --mount=type=cache,id=k,target=/c ln -s /etc /c/l; ln -s ../../../../../../etc /c/u\n"
        "RUN --mount=type=cache,id=k,target=/m,source=/{0} ls /m\n"
    )
    for link in ("l", "u"):
        outcome = project.build(text.format(link), "-t", "x")
        assert outcome.code == 1 and "not found" in outcome.err


def test_a_read_only_cache_refuses_writes(project: Project) -> None:
    flags = "--mount=type=cache,target=/c,ro"
    assert "Read-only" in made_by(project, flags, "sh -c 'touch /c/a || true'")


def parallel(project: Project, sharing: str) -> list[str]:
    """Two builds at once that use one cache; how many users each of them saw."""
    # Each waits for the other for a moment: only one that shares can see it.
    command = (
        "echo in >> /c/log; n=0; while [ $n -lt 15 ] && [ $(wc -l < /c/log) -lt 2 ]; "
        "do sleep 0.1; n=$((n+1)); done"
    )
    mount = f"--mount=type=cache,id=k,target=/c,sharing={sharing}"
    processes = []
    for number in range(2):
        said = f"echo {number}; echo lines=$(wc -l < /c/log) >&2; rm -f /c/log"
        project.write(f"Dockerfile.{number}", f"FROM busybox\nRUN {mount} {command}; {said}\n")
        arguments = project.build_arguments(None, "-f", str(project.context / f"Dockerfile.{number}"))
        processes.append(
            subprocess.Popen(
                project.command(*arguments, "-o", "type=cacheonly"), stderr=subprocess.PIPE, text=True
            )
        )
    outputs = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    return sorted(line for text in outputs for line in re.findall(r" (lines=\d)$", text, re.MULTILINE))


def test_a_locked_cache_has_one_user_at_a_time(project: Project) -> None:
    assert parallel(project, "locked") == ["lines=1", "lines=1"]
    assert len(list((project.root / "cache-mounts").iterdir())) == 1


def test_a_private_cache_is_not_shared_at_the_same_time(project: Project) -> None:
    assert parallel(project, "private") == ["lines=1", "lines=1"]


# secrets and agents


def test_a_secret_file_of_the_command_line_is_seen_by_its_command_alone(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(CANARY)
    flags = "--mount=type=secret,id=token"
    text = f"FROM busybox\nRUN {flags} md5sum < /run/secrets/token > /out\nRUN ls /run/secrets || true\n"
    image = project.image(text, "--secret", f"id=token,src={tmp_path / 'token'}")
    assert image.text("out").split()[0] == md5(CANARY.encode(), usedforsecurity=False).hexdigest()
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_a_secret_variable_of_the_command_line_is_a_variable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    flags = "--mount=type=secret,id=TOKEN,env=MINE"
    assert made_by(project, flags, "sh -c 'echo ${#MINE}'", "--secret", "id=TOKEN") == f"{len(CANARY)}\n"


def test_a_required_secret_that_nobody_gave_stops_the_step(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN --mount=type=secret,id=t,required true\n", "-t", "x")
    assert outcome.code == 1 and "secret t: not found" in outcome.err


def test_the_socket_of_an_agent_is_there_and_named_by_a_variable(project: Project, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "agent"))
        server.listen()
        command = "sh -c 'test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK'"
        said = made_by(project, "--mount=type=ssh", command, "--ssh", f"default={tmp_path / 'agent'}")
    assert said == "/run/buildkit/ssh_agent.0\n"


def test_a_required_agent_that_nobody_gave_stops_the_step(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN --mount=type=ssh,required true\n", "-t", "x")
    assert (outcome.code, "unset ssh forward key default" in outcome.err) == (1, True)
    assert "give an agent to the build: --ssh default" in outcome.err
