"""`--sbom` on the command line, and SBOMs beside files."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from scanning import SPDX, Laboratory
from test_scanner_images import FACTS, make_scanner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    Command = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.root

NODE = json.dumps({"name": "left-pad", "version": "1.3.0"})


@pytest.fixture
def build(laboratory: Laboratory, dockyard: Command) -> Command:
    """`dockyard build` of one file of a package on nothing."""
    laboratory.write("Dockerfile", "FROM scratch\nCOPY node_modules /node_modules\n")
    laboratory.write("node_modules/left-pad/package.json", NODE)

    def run(*options: str) -> CompletedProcess[str]:
        return dockyard("build", "--progress", "plain", *options, str(laboratory.context))

    return run


def statement(text: str | bytes) -> dict[str, Any]:
    value = json.loads(text)
    assert isinstance(value, dict) and value["predicateType"] == SPDX
    return value


def test_a_directory_gets_the_document_beside_the_files(build: Command, tmp_path: Path) -> None:
    built = build("--sbom=true", "-o", f"type=local,dest={tmp_path}/out")
    assert built.returncode == 0, built.stderr
    found = statement((tmp_path / "out/sbom.spdx.json").read_bytes())
    assert [each["name"] for each in found["subject"]] == ["node_modules/left-pad/package.json"]


def test_beside_files_a_document_says_nothing_of_layers(build: Command, tmp_path: Path) -> None:
    build("--sbom=true", "-o", f"type=local,dest={tmp_path}/out")
    text = (tmp_path / "out/sbom.spdx.json").read_text()
    assert "left-pad" in text and "layerID" not in text and "Tool: dockyard" not in text


def test_an_archive_has_a_document_for_each_platform(build: Command, tmp_path: Path) -> None:
    built = build(
        "--attest",
        "type=sbom",
        "--platform",
        "linux/amd64,linux/arm64",
        "-o",
        f"type=tar,dest={tmp_path}/out",
    )
    assert built.returncode == 0, built.stderr
    with tarfile.open(tmp_path / "out") as archive:
        names = [name for name in archive.getnames() if name.endswith("sbom.spdx.json")]
    assert names == ["linux_amd64/sbom.spdx.json", "linux_arm64/sbom.spdx.json"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--sbom=COLOUR=red", "the scanner syft has no parameter 'COLOUR'"),
        ("--sbom=timeout=soon", "invalid timeout 'soon'"),
        ("--sbom=generator=", "sbom generator cannot be empty"),
    ],
)
def test_a_wrong_word_is_refused_as_usage(build: Command, option: str, message: str) -> None:
    refused = build(option)
    assert refused.returncode == 2 and message in refused.stderr


def test_a_scanner_image_is_a_material_of_the_build(
    laboratory: Laboratory, dockyard: Command, tmp_path: Path
) -> None:
    make_scanner(laboratory, FACTS)
    laboratory.write("made", "it")
    laboratory.write("Dockerfile", "FROM scratch\nCOPY made /made\n")
    options = ("--sbom=generator=toy:1", "--provenance=max", "-o", f"type=local,dest={tmp_path}/out")
    built = dockyard("build", *options, str(laboratory.context))
    assert built.returncode == 0, built.stderr
    made = json.loads((tmp_path / "out/provenance.json").read_bytes())["predicate"]["buildDefinition"]
    assert [each["uri"].partition("?")[0] for each in made["resolvedDependencies"]] == ["pkg:docker/toy@1"]
