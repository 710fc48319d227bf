"""ADD of URLs and git repositories, from servers of this test on the loopback."""

from __future__ import annotations

import io
import json
import os
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from servers import BODY, Handler, git

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root


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


def test_a_token_for_a_host_does_not_follow_to_another(project: Project, server: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary-43")
    Handler.moved["/moved"] = server.replace("127.0.0.1", "localhost") + "/a/file.txt?x=1"
    text = f"FROM scratch\nADD {server}/moved /f\n"
    project.built(text, "-t", "x", "--secret", f"id=HTTP_AUTH_TOKEN_127.0.0.1,src={tmp_path / 'token'}")
    first, second = Handler.headers_seen
    assert first["Authorization"] == "Bearer canary-43" and "Authorization" not in second


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/f", "gopher://127.0.0.1/", "//"])
def test_a_server_leads_to_nothing_but_other_servers(project: Project, server: str, target: str) -> None:
    Handler.moved["/moved"] = target
    outcome = project.build(f"FROM scratch\nADD {server}/moved /f\n", "-t", "x")
    assert outcome.code == 1 and "failed to download" in outcome.err and "Traceback" not in outcome.err


# git


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
