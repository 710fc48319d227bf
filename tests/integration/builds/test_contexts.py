"""The main context in every form: directories, archives, URLs, repositories, standard input."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from building import Image, read_archive
from servers import Handler, git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from building import Outcome, Project

pytestmark = pytest.mark.root
DOCKERFILE = "FROM scratch\nCOPY . /d/\n"


def archive(**files: str) -> bytes:
    """A tar of `files`, owned by a user that must not show; `__` in names is a slash, `_` alone a dot."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as writer:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("_", "."))
            member.size, member.uid, member.gid, member.mtime = len(content), 1000, 1000, 1_600_000_000
            writer.addfile(member, io.BytesIO(content.encode()))
    return made.getvalue()


def build_from(project: Project, context: str, *options: str, stdin: bytes = b"") -> Outcome:
    output = f"type=oci,dest={project.context.parent / 'image.tar'}"
    base = ("--build-context", f"busybox=oci-layout://{project.busybox}", "--progress", "plain")
    return project.dockyard("build", *base, "-o", output, *options, context, stdin=stdin)


def image_from(project: Project, context: str, *options: str, stdin: bytes = b"") -> Image:
    outcome = build_from(project, context, *options, stdin=stdin)
    assert outcome.code == 0, outcome.err
    return read_archive(project.context.parent / "image.tar")


# Archives.


@pytest.mark.parametrize(
    "compress",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["tar", "gzip", "bzip2", "xz", "zstd"],
)
def test_an_archive_on_standard_input_is_the_context(
    project: Project, compress: Callable[[bytes], bytes]
) -> None:
    sent = compress(archive(Dockerfile=DOCKERFILE, sub__f_txt="hello"))
    image = image_from(project, "-", stdin=sent)
    assert image.text("d/sub/f.txt") == "hello"
    assert (image.files["d/sub/f.txt"].uid, image.files["d/sub/f.txt"].mtime) == (0, 1_600_000_000)


def test_an_archive_has_its_dockerfile_where_the_flag_says(project: Project) -> None:
    sent = archive(sub__my_dockerfile=DOCKERFILE, f="x")
    assert "d/f" in image_from(project, "-", "-f", "sub/my.dockerfile", stdin=sent).content


def test_a_tar_file_is_a_context_by_its_path(project: Project) -> None:
    path = project.context.parent / "odd [name]*.tar"
    path.write_bytes(archive(Dockerfile=DOCKERFILE, f="x"))
    assert image_from(project, str(path)).text("d/f") == "x"


def test_an_unchanged_archive_is_not_unpacked_again(project: Project) -> None:
    sent = archive(Dockerfile=DOCKERFILE, f="x")
    assert build_from(project, "-", stdin=sent).code == 0
    again = build_from(project, "-", stdin=sent)
    assert again.executed == [] and "[internal] unpack build context" in again.names.values()


def test_the_dockerfile_of_an_archive_may_come_from_elsewhere(project: Project) -> None:
    path = project.context.parent / "c.tar"
    path.write_bytes(archive(f="x"))
    assert image_from(project, str(path), "-f", "-", stdin=DOCKERFILE.encode()).text("d/f") == "x"


def test_what_is_sent_as_an_archive_is_not_filtered(project: Project) -> None:
    image = image_from(project, "-", stdin=archive(Dockerfile=DOCKERFILE, _dockerignore="f", f="x"))
    assert "d/f" in image.content


def test_nothing_of_an_archive_stays_when_it_is_damaged(project: Project) -> None:
    sent = gzip.compress(archive(Dockerfile=DOCKERFILE))
    outcome = build_from(project, "-", stdin=sent[:-9])
    assert outcome.code == 1 and "cut off" in outcome.err and "Traceback" not in outcome.err
    assert list((project.root / "work").iterdir()) == []


def test_a_command_can_mount_an_archive(project: Project) -> None:
    text = "FROM busybox\nRUN --mount=target=/c cat /c/f > /out\n"
    assert image_from(project, "-", stdin=archive(Dockerfile=text, f="x")).text("out") == "x"


# Standard input.


def test_a_dockerfile_on_standard_input_has_an_empty_context(project: Project) -> None:
    outcome = build_from(project, "-", stdin=DOCKERFILE.encode())
    assert outcome.code == 1 or "d/f" not in read_archive(project.context.parent / "image.tar").content


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-f", "-"), "invalid argument: can't use stdin for both build context and dockerfile"),
        (("-f", "x"), "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles"),
    ],
)
def test_standard_input_cannot_be_two_things(project: Project, words: tuple[str, ...], message: str) -> None:
    assert message in build_from(project, "-", *words, stdin=b"FROM scratch\n").err


def test_a_missing_context_is_named(project: Project) -> None:
    assert 'unable to prepare context: path "/nowhere" not found' in build_from(project, "/nowhere").err


# URLs.


def test_an_archive_of_a_url_is_the_context(project: Project, server: str) -> None:
    Handler.files["/c.tgz"] = gzip.compress(archive(Dockerfile=DOCKERFILE, f="x"))
    assert image_from(project, f"{server}/c.tgz").text("d/f") == "x"
    assert [status for _, status in Handler.asked] == [200]


def test_an_archive_of_a_url_is_not_sent_twice(project: Project, server: str) -> None:
    Handler.files["/c.tar"] = archive(Dockerfile=DOCKERFILE, f="x")
    image_from(project, f"{server}/c.tar")
    assert build_from(project, f"{server}/c.tar").executed == []
    assert [status for _, status in Handler.asked] == [200, 304]


def test_a_url_of_a_dockerfile_is_the_dockerfile(project: Project, server: str) -> None:
    Handler.files["/my"] = DOCKERFILE.encode()
    assert image_from(project, f"{server}/my").text("d/context") == DOCKERFILE


def test_the_dockerfile_of_a_directory_may_be_a_url(project: Project, server: str) -> None:
    Handler.files["/my"] = DOCKERFILE.encode()
    project.write("f", "x")
    assert image_from(project, str(project.context), "-f", f"{server}/my").text("d/f") == "x"


def test_a_server_that_has_nothing_is_named(project: Project, server: str) -> None:
    outcome = build_from(project, f"{server}/none")
    assert outcome.code == 1 and f"{server}/none: invalid response status 404" in outcome.err


# Repositories.


def commit_dockerfile(repository: Path, text: str = DOCKERFILE, path: str = "Dockerfile") -> str:
    (repository / path).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "dockerfile")
    return git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("suffix", ["", "#main", "?branch=main", "?ref=main"])
def test_a_repository_is_the_context(project: Project, address: str, repository: Path, suffix: str) -> None:
    commit_dockerfile(repository)
    image = image_from(project, address + suffix)
    assert image.text("d/f") == "two" and not [name for name in image.files if "/.git" in name]


@pytest.mark.parametrize("suffix", ["#main:sub", "?subdir=sub", "#:sub"])
def test_a_directory_of_a_repository_is_the_context(
    project: Project, address: str, repository: Path, suffix: str
) -> None:
    commit_dockerfile(repository, path="sub/Dockerfile")
    assert set(image_from(project, address + suffix).content) == {"d/Dockerfile", "d/script"}


@pytest.mark.parametrize(
    ("suffix", "argument"), [("?keep-git-dir=true", "A=1"), ("", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1")]
)
def test_a_repository_keeps_its_metadata_on_request(
    project: Project, address: str, repository: Path, suffix: str, argument: str
) -> None:
    commit_dockerfile(repository)
    assert "d/.git/HEAD" in image_from(project, address + suffix, "--build-arg", argument).files


def test_files_of_a_repository_have_the_time_of_the_commit_when_there_is_an_epoch(
    project: Project, address: str, repository: Path
) -> None:
    commit_dockerfile(repository)
    when = int(git(repository, "show", "-s", "--format=%ct"))
    image = image_from(project, address, "--build-arg", "SOURCE_DATE_EPOCH=context")
    assert {member.mtime for name, member in image.files.items() if name.startswith("d/")} == {when}
    assert (
        image.config["created"].startswith("20")
        and image.config["history"][0]["created"] == image.config["created"]
    )


@pytest.mark.parametrize("named", ["a stage", "a context"])
def test_an_image_is_as_old_as_the_repository_that_the_epoch_names(
    project: Project, address: str, repository: Path, named: str
) -> None:
    when = int(git(repository, "show", "-s", "--format=%ct"))
    project.write("Dockerfile", f"FROM scratch AS src\nADD {address} /\nFROM scratch\nWORKDIR /w\n")
    options = ["--build-arg", "SOURCE_DATE_EPOCH=src"]
    if named == "a context":
        options += ["--build-context", f"src={address}"]
    image = image_from(project, str(project.context), *options)
    assert image.files["w"].mtime == when


def test_a_wrong_checksum_of_a_repository_ends_the_build(project: Project, address: str) -> None:
    outcome = build_from(project, f"{address}?ref=main&checksum=abcdef")
    assert outcome.code == 1 and "expected checksum to match abcdef, got " in outcome.err


def test_the_dockerfile_of_a_repository_cannot_be_a_link_out_of_it(
    project: Project, address: str, repository: Path
) -> None:
    (repository / "Dockerfile").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "link")
    outcome = build_from(project, address)
    assert outcome.code == 1 and "no such file or directory" in outcome.err and "root:" not in outcome.err


# Named contexts.


def test_a_named_context_is_a_repository(project: Project, address: str) -> None:
    text = "FROM scratch\nCOPY --from=src /sub /d/\n"
    image = project.image(text, "--build-context", f"src={address}#v1")
    assert set(image.content) == {"d/script"}


def test_a_repository_as_a_base_is_a_layer(project: Project, address: str) -> None:
    image = project.image("FROM src\n", "--build-context", f"src={address}#main:sub")
    assert set(image.content) == {"script"} and image.files["script"].mode == 0o755


def test_a_directory_as_a_base_is_a_layer(project: Project, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/f").write_text("x")
    image = project.image("FROM src\n", "--build-context", f"src={tmp_path / 'base'}")
    assert image.text("f") == "x" and image.config["config"]["WorkingDir"] == "/"


def test_a_named_context_is_the_file_of_a_url(project: Project, server: str) -> None:
    text = "FROM busybox\nRUN --mount=from=src,target=/s cat /s/context > /out\n"
    assert project.image(text, "--build-context", f"src={server}/a/file.txt?x=1").text("out") == "hello"


def test_a_named_context_is_another_target_with_its_config(project: Project) -> None:
    text = (
        "FROM busybox AS made\nENV X=1\nRUN echo made > /f\n"
        "FROM alpine AS last\nCOPY --from=debian /f /g\nENV Y=2\n"
    )
    image = project.image(
        text, "--build-context", "alpine=target:made", "--build-context", "debian=target:made"
    )
    assert image.text("g") == "made\n" and {"X=1", "Y=2"} <= set(image.config["config"]["Env"])


def test_a_target_that_stands_on_itself_is_refused(project: Project) -> None:
    outcome = project.build("FROM alpine AS made\n", "-t", "x", "--build-context", "alpine=target:made")
    assert outcome.code == 1 and "build context alpine=target:made stands on itself" in outcome.err


def test_a_named_context_counts_for_its_platform_alone(project: Project, tmp_path: Path) -> None:
    for name in ("all", "amd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    contexts = (
        "--build-context", f"src={tmp_path / 'all'}", "--build-context", f"src::linux/amd64={tmp_path / 'amd'}",
        "--platform", "linux/amd64,linux/arm64",
    )  # fmt: skip
    text = "FROM scratch\nCOPY --from=src f /f\n"
    project.image(text, *contexts)
    read = [read_archive(tmp_path / "image.tar", each).text("f") for each in ("linux/amd64", "linux/arm64")]
    assert read == ["amd", "all"]


def test_a_named_context_that_is_nowhere_is_named(project: Project) -> None:
    outcome = project.build("FROM scratch\n", "-t", "x", "--build-context", "src=/nowhere")
    assert outcome.code == 1 and "failed to get build context src" in outcome.err


# Bombs.


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DOCKYARD_UNPACK_SIZE", "1m", "the archive holds more than 1048576 bytes of files"),
        ("DOCKYARD_UNPACK_MEMBERS", "3", "the archive has more than 3 members"),
    ],
)
@pytest.mark.parametrize("context", [True, False], ids=["context", "ADD"])
def test_a_bomb_ends_at_a_limit_that_the_error_names(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    message: str,
    *,
    context: bool,
) -> None:
    monkeypatch.setenv(variable, value)
    bomb = gzip.compress(archive(Dockerfile=DOCKERFILE, a="0" * (2 << 20), b="", c=""))
    if context:
        outcome = build_from(project, "-", stdin=bomb)
    else:
        project.write("bomb", bomb)
        outcome = project.build("FROM scratch\nADD bomb /d/\n", "-t", "x")
    assert outcome.code == 1 and message in outcome.err and f"set {variable} to a larger" in outcome.err


# Provenance.


def told(project: Project, context: str, *options: str) -> dict[str, Any]:
    """What the metadata file says of how the image was made."""
    target = project.context.parent / "metadata.json"
    outcome = build_from(project, context, "-o", "type=cacheonly", "--metadata-file", str(target), *options)
    assert outcome.code == 0, outcome.err
    return json.loads(target.read_text())["buildx.build.provenance"]  # type: ignore[no-any-return]


def test_provenance_names_the_repository_and_its_commit_and_no_directory(
    project: Project, address: str, repository: Path
) -> None:
    digest = {"sha1": commit_dockerfile(repository)}
    for _ in range(2):
        found = told(project, f"{address}#main")
        assert found["invocation"]["configSource"] == {
            "uri": f"{address}#main", "digest": digest, "entryPoint": "Dockerfile",
        }  # fmt: skip
        assert found["materials"] == [{"uri": f"{address}#main", "digest": digest}]
        assert "locals" not in found["invocation"]["parameters"]


def test_provenance_of_an_archive_of_the_caller_names_the_context_as_a_directory(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "context.tar").write_bytes(archive(Dockerfile=DOCKERFILE, f="x"))
    found = told(project, str(tmp_path / "context.tar"))
    assert found["invocation"]["parameters"]["locals"] == [{"name": "context"}, {"name": "dockerfile"}]


def test_provenance_names_the_url_of_the_dockerfile_as_a_material(project: Project, server: str) -> None:
    Handler.files["/my"] = DOCKERFILE.encode()
    project.write("f", "x")
    found = told(project, str(project.context), "-f", f"{server}/my")
    assert [each["uri"] for each in found["materials"]] == [f"{server}/my"]
    assert found["invocation"]["configSource"] == {"entryPoint": "Dockerfile"}
    assert found["invocation"]["parameters"]["locals"] == [{"name": "context"}]
