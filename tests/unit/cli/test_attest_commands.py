"""attest show, attest diff: what is said about images, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from attested_images import attested, package, slsa, spdx, store_attested

from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from command import Command

BASH = package("bash", "5.2", "GPL-3.0-or-later")


def test_show_prints_packages_parameters_and_materials_of_each_platform(command: Command) -> None:
    root = store_attested(command, "app:1", attested(spdx(BASH), slsa(**{"build-arg:V": "1"})))
    said = command("attest", "show", "app:1")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[:2] == [f"docker.io/library/app:1 {root.digest}", "no signatures"]
    for line in (
        "SBOM sbom: 1 packages, 1 files; 2026-01-01T00:00:00Z, Tool: scan-1",
        "bash 5.2 deb GPL-3.0-or-later",
        "builder https://example.com/builder",
        "source https://example.com/r.git",
        "revision abc",
        "finished 2026-01-01T00:00:01.5Z (1.5s)",
        "steps 2",
        "claims request complete: yes, resolvedDependencies complete: no",
        "build-arg:V 1",
        "locals context",
        f"pkg:docker/debian@12 sha256:{'ab' * 32}",
    ):
        assert lines.count(line) == 2, line


def test_show_counts_the_signatures_that_are_there(command: Command, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("COSIGN_PASSWORD", "x")
    monkeypatch.chdir(tmp_path)
    store_attested(command, "app:1", attested(slsa()))
    command("generate-key-pair")
    assert command("sign", "--key", "cosign.key", "--format", "tag", "app:1").code == 0
    said = command("attest", "show", "app:1")
    assert "signatures: 3 over the image, 4 over statements; not checked here" in said.out


def test_raw_forms_are_the_predicate_byte_for_byte(command: Command) -> None:
    store_attested(command, "app:1", attested(spdx(BASH), slsa()))
    said = command("attest", "show", "--platform", "linux/arm64", "--format", "spdx", "app:1")
    assert said.out == msgspec.json.encode(spdx(BASH)).decode()
    said = command("attest", "show", "--platform", "linux/arm64", "--format", "slsa", "app:1")
    assert said.out == msgspec.json.encode(slsa()).decode()


def test_raw_forms_of_several_platforms_stand_one_after_the_other(command: Command) -> None:
    store_attested(command, "app:1", attested(slsa()))
    said = command("attest", "show", "--format", "slsa", "app:1")
    assert [json.loads(line) for line in said.out.splitlines()] == [slsa(), slsa()]


def test_asking_for_what_nobody_said_is_an_error(command: Command) -> None:
    store_attested(command, "app:1", attested(slsa()))
    said = command("attest", "show", "--format", "spdx", "app:1")
    assert (said.code, said.err) == (1, "ERROR: there is no SBOM\n")
    said = command("attest", "show", "--platform", "linux/s390x", "app:1")
    assert (said.code, "no image for linux/s390x" in said.err) == (1, True)


def test_an_image_that_nothing_is_said_about_is_shown_so(command: Command) -> None:
    command.make_image("docker.io/library/bare:1")
    said = command("attest", "show", "bare:1")
    assert (said.code, "nothing is said about it" in said.out) == (0, True)


def test_json_has_the_same_as_the_tables(command: Command, tmp_path: Path) -> None:
    root = store_attested(command, "app:1", attested(spdx(BASH), slsa(target="x")))
    archive = str(tmp_path / "app.tar")
    command("save", "-o", archive, "app:1")
    report = json.loads(command("attest", "show", "--format", "json", archive).out)
    assert report["digest"] == root.digest
    platform = report["platforms"][0]
    assert [each["predicateType"] for each in platform["statements"]] == [
        "https://spdx.dev/Document", "https://slsa.dev/provenance/v1",
    ]  # fmt: skip
    assert platform["sboms"][0]["packages"] == [
        {"name": "bash", "version": "5.2", "type": "deb", "licence": "GPL-3.0-or-later"}
    ]
    assert platform["provenance"][0]["parameters"]["target"] == "x"


def test_what_a_terminal_would_obey_is_not_printed(command: Command) -> None:
    store_attested(command, "app:1", attested(spdx(package("evil\x1b[2J", "1\n2")), slsa(x="\x1b]0;x\x07")))
    said = command("attest", "show", "app:1")
    assert said.code == 0
    assert not any(char in said.out for char in "\x1b\x07")


@pytest.mark.parametrize("broken", [{"spdxVersion": "SPDX-2.3", "packages": 5}, {"buildDefinition": []}])
def test_a_malformed_predicate_is_an_error_in_words(command: Command, broken: dict[str, object]) -> None:
    store_attested(command, "app:1", attested(broken))
    said = command("attest", "show", "app:1")
    assert said.code == 1
    assert said.err.startswith("ERROR: no S")


def test_statements_that_are_not_here_are_said_to_be_missing(command: Command) -> None:
    made = attested(slsa())
    store_attested(command, "app:1", made)
    entry = made.platforms[1].attestation
    assert entry is not None
    with open_store(command.root) as store:
        store.content.delete(entry.digest)
    said = command("attest", "show", "app:1")
    assert f"not all that is said of it is here: {entry.digest} is missing" in said.out


def test_diff_names_packages_materials_and_parameters_that_changed(command: Command) -> None:
    new = slsa(**{"build-arg:V": "2"})
    new["buildDefinition"]["resolvedDependencies"][0]["digest"]["sha256"] = "cd" * 32
    new["runDetails"]["builder"]["id"] = "https://example.com/other"
    before = attested(spdx(BASH, package("curl", "7")), slsa(**{"build-arg:V": "1"}))
    store_attested(command, "a:1", before)
    store_attested(command, "b:1", attested(spdx(package("bash", "5.3", "MIT"), package("wget", "1")), new))
    said = command("attest", "diff", "--platform", "linux/amd64", "a:1", "b:1")
    assert [" ".join(line.split()) for line in said.out.splitlines()] == [
        "linux/amd64",
        "WHAT NAME CHANGE",
        "~ provenance builder https://example.com/builder -> https://example.com/other",
        "~ parameter build-arg:V 1 -> 2",
        f"~ material pkg:docker/debian@12 sha256:{'ab' * 32} -> sha256:{'cd' * 32}",
        "~ package bash (deb) 5.2 GPL-3.0-or-later -> 5.3 MIT",
        "- package curl (deb) 7",
        "+ package wget (deb) 1",
        "",
        "6 changes",
    ]


def test_diff_tells_by_its_exit_code_only_when_asked_to(command: Command) -> None:
    store_attested(command, "a:1", attested(slsa(v="1")))
    store_attested(command, "b:1", attested(slsa(v="2")))
    assert command("attest", "diff", "a:1", "b:1").code == 0
    assert command("attest", "diff", "--exit-code", "a:1", "b:1").code == 1
    assert command("attest", "diff", "--exit-code", "a:1", "a:1") == (0, "no changes\n", "")


def test_diff_says_when_a_kind_of_statement_came_or_went(command: Command) -> None:
    store_attested(command, "a:1", attested(spdx(BASH), slsa()))
    store_attested(command, "b:1", attested(slsa()))
    said = command("attest", "diff", "--format", "json", "--platform", "linux/amd64", "a:1", "b:1")
    assert json.loads(said.out)["changes"] == [
        {"platform": "linux/amd64", "kind": "statement", "name": "SBOM",
         "before": {"value": "https://spdx.dev/Document"}, "after": None},
    ]  # fmt: skip
