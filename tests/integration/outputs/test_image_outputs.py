"""Images in every form: eStargz, rewritten times, Docker's types, archives, names; read by skopeo and umoci."""

from __future__ import annotations

import gzip
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.root
IMAGE = ("--target", "image")
TOC = "containerd.io/snapshot/stargz/toc.digest"


def run(*arguments: str | Path) -> str:
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def layout(project: Project, name: str, attributes: str = "", *options: str) -> str:
    project.must_build("-o", f"type=oci,tar=false,dest={name}{attributes}", *IMAGE, *options)
    return name


def annotated(project: Project, name: str) -> list[bool]:
    return [TOC in each.get("annotations", {}) for each in project.document(name)["layers"]]


def test_estargz_is_for_new_layers_unless_it_is_forced(project: Project) -> None:
    assert annotated(project, layout(project, "new", ",compression=estargz")) == [False, True, True]
    forced = layout(project, "all", ",compression=estargz,force-compression=true")
    assert annotated(project, forced) == [True, True, True]


def test_estargz_layers_hold_what_plain_layers_hold(project: Project) -> None:
    plain, lazy = layout(project, "plain"), layout(project, "lazy", ",compression=estargz")
    for one, other in zip(project.document(plain)["layers"], project.document(lazy)["layers"], strict=True):
        archive = gzip.decompress(project.blob(plain, one["digest"]).read_bytes())
        assert gzip.decompress(project.blob(lazy, other["digest"]).read_bytes()).startswith(archive)


def test_umoci_unpacks_estargz_layers_and_checks_their_diff_ids(project: Project) -> None:
    layout(project, "lazy", ",compression=estargz,force-compression=true")
    run("umoci", "unpack", "--image", f"{project.folder}/lazy:latest", project.folder / "bundle")
    assert (project.folder / "bundle/rootfs/made").read_text() == "made\n"


def test_rewritten_times_make_two_builds_equal(project: Project) -> None:
    epoch = ("--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--no-cache")
    roots = [
        project.document(layout(project, name, ",rewrite-timestamp=true", *epoch)) for name in ("one", "two")
    ]
    assert roots[0] == roots[1]
    assert [each.get("annotations") for each in roots[0]["layers"]] == [
        None,
        {"buildkit/rewritten-timestamp": "1000000000"},
        {"buildkit/rewritten-timestamp": "1000000000"},
    ]


def test_layers_of_the_base_keep_their_times(project: Project) -> None:
    epoch = ("--build-arg", "SOURCE_DATE_EPOCH=1000")
    base = [project.document(layout(project, name, more, *epoch))["layers"][0] for name, more in (
        ("kept", ""), ("rewritten", ",rewrite-timestamp=true"),
    )]  # fmt: skip
    assert base[0] == base[1]


def test_rewriting_without_an_epoch_is_warned_about(project: Project) -> None:
    said = project.must_build("-o", "type=oci,dest=x.tar,rewrite-timestamp=true", *IMAGE)
    assert "rewrite-timestamp is specified, but no source-date-epoch was found" in said


def test_dockers_media_types_are_kept_by_skopeo(project: Project) -> None:
    project.must_build("-t", "x:1", "-o", "type=docker,dest=x.tar,oci-mediatypes=false", *IMAGE)
    manifest = json.loads(
        run("skopeo", "--insecure-policy", "inspect", "--raw", f"oci-archive:{project.folder}/x.tar")
    )
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_skopeo_reads_the_docker_archive_under_its_tag(project: Project) -> None:
    project.must_build("-t", "x:1", "-o", "type=docker,dest=x.tar", *IMAGE)
    found = json.loads(
        run("skopeo", "--insecure-policy", "inspect", f"docker-archive:{project.folder}/x.tar:x:1")
    )
    assert found["Architecture"] and len(found["Layers"]) == 3


def test_a_directory_of_type_docker_is_a_layout_in_dockers_types(project: Project) -> None:
    project.must_build("-t", "x:1", "-o", "type=docker,tar=false,dest=x,oci-mediatypes=false", *IMAGE)
    assert project.document("x")["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_a_docker_archive_of_several_platforms_is_refused_before_any_work(project: Project) -> None:
    done = project.build("-o", "type=docker,dest=x.tar", "--platform", "linux/amd64,linux/arm64", *IMAGE)
    assert done.returncode == 2 and not (project.folder / "x.tar").exists()
    assert "docker exporter does not support exporting manifest lists, use the oci exporter" in done.stderr


def test_canonical_and_dangling_names_are_in_the_store(project: Project) -> None:
    project.must_build(
        "-o", "type=image,name=x:1,name-canonical=true,dangling-name-prefix=old", "--iidfile", "iid", *IMAGE
    )
    digest = (project.folder / "iid").read_text()
    names = {json.loads(line)["name"] for line in project.dockyard("images", "--format", "json").splitlines()}
    assert digest.startswith("sha256:") and {"x", "old"} <= names


def test_result_files_of_an_archive_are_those_of_buildx(project: Project) -> None:
    project.must_build(
        "-t", "x:1", "-o", "type=docker,dest=x.tar", "--metadata-file", "metadata", "--iidfile", "iid", *IMAGE
    )
    said = json.loads((project.folder / "metadata").read_text())
    assert sorted(said) == [
        "containerimage.config.digest",
        "containerimage.descriptor",
        "containerimage.digest",
        "image.name",
    ]
    assert (project.folder / "iid").read_text() == said["containerimage.config.digest"]
    assert "org.opencontainers.image.created" in said["containerimage.descriptor"]["annotations"]


def test_every_output_of_one_build_holds_the_same_image(project: Project) -> None:
    project.must_build(
        "-t", "x:1", "-o", "type=image", "-o", "type=oci,dest=a.tar", "-o", "type=oci,tar=false,dest=b",
        "-o", "type=docker,dest=c.tar", "-o", "type=local,dest=d", "-o", "type=tar,dest=e.tar", "-o",
        "type=cacheonly", "--metadata-file", "metadata", *IMAGE,
    )  # fmt: skip
    digest = json.loads((project.folder / "metadata").read_text())["containerimage.digest"]
    roots = {json.loads((project.folder / "b/index.json").read_text())["manifests"][0]["digest"]}
    for name in ("a.tar", "c.tar"):
        with tarfile.open(project.folder / name) as archive:
            index = archive.extractfile("index.json")
            assert index is not None
            roots.add(json.load(index)["manifests"][0]["digest"])
    assert roots == {digest}
    assert (project.folder / "d/made").exists() and (project.folder / "e.tar").exists()
