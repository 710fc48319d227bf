"""ADD of URLs and git repositories, from servers of this test on the loopback."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root
BODY = b"hello"


class Handler(BaseHTTPRequestHandler):
    """Serves `files`; notes what it was asked."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[tuple[str, int]]] = []
    headers_seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.headers_seen.append(dict(self.headers))
        body = self.files.get(self.path)
        etag = f'"{sha256(body).hexdigest()}"' if body is not None else ""
        unchanged = body is not None and self.headers.get("If-None-Match") == etag
        status = 404 if body is None else 304 if unchanged else 200
        if self.path == "/loop":
            status = 302
        self.asked.append((self.path, status))
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.send_header("Location", "/loop")
        self.send_header("Content-Disposition", "attachment; filename=../../evil")
        self.end_headers()
        if status == 200 and body is not None:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.files = {"/a/file.txt?x=1": BODY, "/": BODY, "/a/..%2Fevil": BODY, "/star%2A.txt": BODY}
    Handler.asked, Handler.headers_seen = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_a_url_becomes_a_file_with_the_name_mode_and_time_of_the_server(
    project: Project, server: str
) -> None:
    image = project.image(f"FROM scratch\nADD {server}/a/file.txt?x=1 /d/\n")
    made = image.files["d/file.txt"]
    assert image.text("d/file.txt") == "hello"
    assert (made.mode, made.uid, made.mtime) == (0o600, 0, 1704067200)


@pytest.mark.parametrize(
    ("path", "name"), [("/", "__unnamed__"), ("/a/..%2Fevil", "evil"), ("/star%2A.txt", "star*.txt")]
)
def test_no_url_names_a_path(project: Project, server: str, path: str, name: str) -> None:
    image = project.image(f"FROM scratch\nADD {server}{path} /d/\n")
    assert set(image.content) == {f"d/{name}"}


def test_flags_replace_mode_and_owner_of_a_download(project: Project, server: str) -> None:
    image = project.image(f"FROM scratch\nADD --chmod=755 --chown=1:2 {server}/a/file.txt?x=1 /f\n")
    assert (image.files["f"].mode, image.files["f"].uid, image.files["f"].gid) == (0o755, 1, 2)


def test_a_download_that_has_not_changed_is_asked_for_and_not_sent_again(
    project: Project, server: str
) -> None:
    text = f"FROM busybox\nADD {server}/a/file.txt?x=1 /f\nRUN cat /f\n"
    project.built(text, "-t", "x")
    assert project.built(text, "-t", "x").executed in ([], [f"{server}/a/file.txt?x=1"])
    assert [status for _, status in Handler.asked] == [200, 304]
    Handler.files["/a/file.txt?x=1"] = b"changed"
    assert len([step for step in project.built(text, "-t", "x").executed if "http" not in step[:4]]) == 2


def test_a_checksum_that_fits_needs_no_second_question(project: Project, server: str) -> None:
    text = f"FROM scratch\nADD --checksum=sha256:{sha256(BODY).hexdigest()} {server}/a/file.txt?x=1 /f\n"
    project.built(text, "-t", "x")
    project.built(text, "--no-cache", "-t", "x")
    assert len(Handler.asked) == 1


def test_a_checksum_that_does_not_fit_stops_the_build(project: Project, server: str) -> None:
    wrong = sha256(b"wrong").hexdigest()
    outcome = project.build(
        f"FROM scratch\nADD --checksum=sha256:{wrong} {server}/a/file.txt?x=1 /f\n", "-t", "x"
    )
    expected = f"sha256:{sha256(BODY).hexdigest()} (expected: sha256:{wrong})"
    assert outcome.code == 1 and "digest mismatch for" in outcome.err and expected in outcome.err


@pytest.mark.parametrize(
    ("path", "message"), [("/none", "invalid response status 404"), ("/loop", "failed to download")]
)
def test_what_a_server_does_not_have_is_an_error(
    project: Project, server: str, path: str, message: str
) -> None:
    outcome = project.build(f"FROM scratch\nADD {server}{path} /f\n", "-t", "x")
    assert outcome.code == 1 and message in outcome.err and "Dockerfile:2" in outcome.err


def test_a_password_in_a_url_is_not_in_an_error(project: Project, server: str) -> None:
    address = server.replace("://", "://user:canary-77@")
    outcome = project.build("FROM scratch\nARG U\nADD $U /f\n", "--build-arg", f"U={address}/none", "-t", "x")
    errors = [line for line in outcome.err.splitlines() if "ERROR" in line]
    assert outcome.code == 1 and errors and "canary-77" not in "".join(errors)


def test_an_archive_of_a_url_is_unpacked_only_on_request(project: Project, server: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        member = tarfile.TarInfo("inside")
        writer.addfile(member)
    Handler.files["/a.tar"] = archive.getvalue()
    assert set(project.image(f"FROM scratch\nADD {server}/a.tar /d/\n").content) == {"d/a.tar"}
    assert set(project.image(f"FROM scratch\nADD --unpack {server}/a.tar /d/\n").content) == {"d/inside"}


def test_an_archive_of_the_context_is_kept_on_request(project: Project) -> None:
    with tarfile.open(project.context / "a.tar", "w") as writer:
        writer.addfile(tarfile.TarInfo("inside"))
    assert set(project.image("FROM scratch\nADD --unpack=false a.tar /d/\n").content) == {"d/a.tar"}


def test_a_token_for_a_host_is_sent_to_it_and_kept_nowhere(
    project: Project, server: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("canary-42")
    text = f"FROM scratch\nADD {server}/a/file.txt?x=1 /f\n"
    project.built(text, "-t", "x", "--secret", f"id=HTTP_AUTH_TOKEN_127.0.0.1,src={tmp_path / 'token'}")
    assert Handler.headers_seen[0]["Authorization"] == "Bearer canary-42"
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert not [path for path in files if b"canary-42" in path.read_bytes()]


# git


def git(where: Path, *arguments: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two commits, a branch, an annotated tag, a script, and links."""
    folder = tmp_path / "served" / "r.git"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "f").write_text("one")
    (folder / "sub/script").write_text("#!/bin/sh\n")
    (folder / "sub/script").chmod(0o755)
    (folder / "out").symlink_to("/etc")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "-a", "v1", "-m", "v1")
    (folder / "f").write_text("two")
    git(folder, "commit", "-qam", "two")
    git(folder, "branch", "feature")
    return folder


@pytest.fixture
def address(repository: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all",
         f"--base-path={repository.parent}", str(repository.parent)],
        stderr=subprocess.DEVNULL, env={**os.environ, "HOME": "/nonexistent", "GIT_CONFIG_COUNT": "1",
             "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"},
    )  # fmt: skip
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"git://127.0.0.1:{port}/r.git"
    daemon.terminate()
    daemon.wait()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("", "two"),
        ("#main", "two"),
        ("#v1", "one"),
        ("#refs/tags/v1", "one"),
        ("?tag=v1", "one"),
        ("?branch=feature", "two"),
    ],
)
def test_a_repository_is_checked_out_at_the_ref(
    project: Project, address: str, suffix: str, content: str
) -> None:
    image = project.image(f"FROM scratch\nADD {address}{suffix} /d/\n")
    assert image.text("d/f") == content
    assert (image.files["d/f"].mode, image.files["d/sub/script"].mode) == (0o644, 0o755)
    assert not [name for name in image.files if ".git" in name]


def test_a_commit_is_checked_out_by_its_hash(project: Project, address: str, repository: Path) -> None:
    first = git(repository, "rev-parse", "v1^{}")
    assert project.image(f"FROM scratch\nADD {address}#{first} /d/\n").text("d/f") == "one"


def test_a_subdirectory_of_a_repository_is_copied_alone(project: Project, address: str) -> None:
    assert set(project.image(f"FROM scratch\nADD {address}#main:sub /d/\n").content) == {"d/script"}


@pytest.mark.parametrize("path", ["out", "out/ssl", "../..", "none", "f"])
def test_no_subdirectory_leads_out_of_the_checkout(project: Project, address: str, path: str) -> None:
    outcome = project.build(f"FROM scratch\nADD {address}#main:{path} /d/\n", "-t", "x")
    assert outcome.code == 1 and "is not a directory of the repository" in outcome.err


def test_the_metadata_of_a_repository_is_kept_on_request(project: Project, address: str) -> None:
    image = project.image(f"FROM scratch\nADD --keep-git-dir=true {address} /d/\n")
    assert "d/.git/HEAD" in image.files


@pytest.mark.parametrize(
    ("flag", "suffix", "message"),
    [
        ("", "#nope", "repository does not contain ref nope"),
        ("", "#--upload-pack=touch${IFS}/x", "invalid git ref"),
        ("", "#-c", "invalid git ref"),
        ("--checksum=abcdef", "#main", "expected checksum to match abcdef, got "),
    ],
)
def test_a_ref_that_is_none_is_an_error(
    project: Project, address: str, flag: str, suffix: str, message: str
) -> None:
    outcome = project.build(f"FROM scratch\nARG IFS\nADD {flag} {address}{suffix} /d/\n", "-t", "x")
    assert outcome.code == 1 and message in outcome.err


def test_a_new_commit_is_noticed_by_the_next_build(project: Project, address: str, repository: Path) -> None:
    text = f"FROM busybox\nADD {address}#main /d/\nRUN cat /d/f > /out\n"
    assert project.image(text).text("out") == "two"
    (repository / "f").write_text("three")
    git(repository, "commit", "-qam", "three")
    assert project.image(text).text("out") == "three"


def test_a_repository_that_runs_nothing_here(project: Project, address: str, repository: Path) -> None:
    (repository / ".gitattributes").write_text("f filter=evil\n")
    (repository / ".gitmodules").write_text('[submodule "s"]\n\tpath = s\n\turl = ext::touch /canary-git\n')
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "evil")
    project.build(f"FROM scratch\nADD {address} /d/\n", "-t", "x")
    assert not os.path.lexists("/canary-git")


def test_provenance_names_what_was_fetched_and_what_it_was_also_when_all_is_cached(
    project: Project, server: str, address: str, repository: Path
) -> None:
    told = project.context.parent / "metadata.json"
    dockerfile = f"FROM scratch\nADD {server}/a/file.txt?x=1 /f\nADD {address}#v1 /r/\n"
    materials = []
    for _ in range(2):
        project.built(dockerfile, "-o", "type=cacheonly", "--metadata-file", str(told))
        materials.append(json.loads(told.read_text())["buildx.build.provenance"]["materials"])
    assert (
        materials
        == [
            [
                {"uri": f"{address}#v1", "digest": {"sha1": git(repository, "rev-parse", "v1^{}")}},
                {"uri": f"{server}/a/file.txt?x=1", "digest": {"sha256": sha256(BODY).hexdigest()}},
            ]
        ]
        * 2
    )
