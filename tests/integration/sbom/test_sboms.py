"""SBOMs by the scanner that comes along: what they say, and what they cost."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from scanning import Laboratory, packages
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from exporter.attest.options import SbomOptions

pytestmark = pytest.mark.root

NODE = json.dumps({"name": "left-pad", "version": "1.3.0", "license": "WTFPL"})
LOCK = json.dumps(
    {
        "name": "x",
        "lockfileVersion": 2,
        "requires": True,
        "packages": {"node_modules/declared": {"version": "2.0.0", "resolved": "", "integrity": ""}},
        "dependencies": {"declared": {"version": "2.0.0"}},
    }
)
PYTHON = "Metadata-Version: 2.1\nName: example\nVersion: 4.5\n"
DPKG = """Package: made-up
Status: install ok installed
Architecture: {architecture}
Version: 1.2-3
Maintainer: Nobody <nobody@example.org>
Description: nothing

"""


def application(laboratory: Laboratory) -> None:
    laboratory.write("app/node_modules/left-pad/package.json", NODE)
    laboratory.write("lib/python3/site-packages/example-4.5.dist-info/METADATA", PYTHON)
    laboratory.write("lib/python3/site-packages/example-4.5.dist-info/RECORD", "example.py,,\n")


def problems(document: dict[str, Any]) -> list[str]:
    parsed = JsonLikeDictParser().parse(document)
    return [each.validation_message for each in validate_full_spdx_document(parsed)]


def test_what_is_installed_is_listed(laboratory: Laboratory) -> None:
    application(laboratory)
    (document,) = laboratory.build("FROM busybox\nCOPY . /\n").documents()
    assert packages(document) >= {"left-pad 1.3.0", "example 4.5"}


def test_an_independent_validator_finds_no_fault(laboratory: Laboratory) -> None:
    application(laboratory)
    laboratory.write("var/lib/dpkg/status", DPKG.format(architecture="all"))
    laboratory.write("var/lib/dpkg/info/made-up.md5sums", "9dd4e461268c8034f5c8564e155c67a6  usr/share/x\n")
    laboratory.write("usr/share/x", "x")
    (document,) = laboratory.build("FROM scratch\nCOPY . /\n", epoch=1).documents()
    assert document["files"] and not problems(document)


def test_files_say_which_layer_they_are_from(laboratory: Laboratory) -> None:
    laboratory.write("var/lib/dpkg/status", DPKG.format(architecture="all"))
    laboratory.write("var/lib/dpkg/info/made-up.md5sums", "9dd4e461268c8034f5c8564e155c67a6  usr/share/x\n")
    laboratory.write("x", "x")
    text = "FROM scratch\nCOPY var /var\nCOPY x /usr/share/x\n"
    built = laboratory.build(text)
    comments = {each["fileName"]: each.get("comment") for each in built.documents()[0]["files"]}
    assert {comments["usr/share/x"], comments["var/lib/dpkg/status"]} == {
        f"layerID: {digest}" for digest in built.layers()
    }


def test_dockyard_is_among_the_creators(laboratory: Laboratory) -> None:
    (document,) = laboratory.build("FROM busybox\n").documents()
    creators = document["creationInfo"]["creators"]
    assert creators[-2].startswith("Tool: syft-") and creators[-1].startswith("Tool: dockyard-")


def test_a_second_build_scans_nothing(laboratory: Laboratory) -> None:
    first = laboratory.build("FROM busybox\n")
    second = laboratory.build("FROM busybox\n")
    assert len(first.scans) == 1 and (second.scans, len(second.cached_scans)) == ([], 1)


def test_equal_content_is_scanned_once_whoever_made_it(laboratory: Laboratory) -> None:
    laboratory.write("x", "1")
    first = laboratory.build("FROM scratch\nCOPY x /\n", epoch=1)
    again = laboratory.build("FROM scratch\nCOPY x /\n", epoch=1, no_cache=True)
    assert (len(first.scans), again.scans) == (1, [])


def test_two_platforms_with_the_same_files_share_a_scan(laboratory: Laboratory) -> None:
    laboratory.write("x", "1")
    built = laboratory.build("FROM scratch\nCOPY x /\n", platforms=("linux/amd64", "linux/arm64"))
    assert (len(built.scans), len(built.cached_scans)) == (1, 1)


def test_a_foreign_platform_is_scanned_without_its_emulator(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.executor.emulation.BINFMT_DIRECTORIES", ())
    laboratory.write("var/lib/dpkg/status", DPKG.format(architecture="s390x"))
    built = laboratory.build("FROM busybox\nCOPY var /var\n", platforms=("linux/s390x", "linux/amd64"))
    document = built.documents("linux/s390x")[0]
    assert "made-up 1.2-3" in packages(document)


def test_the_same_build_gives_the_same_bytes(laboratory: Laboratory) -> None:
    application(laboratory)
    first = laboratory.build("FROM busybox\nCOPY . /\n", epoch=1_000_000_000)
    shutil.rmtree(laboratory.root)
    second = laboratory.build("FROM busybox\nCOPY . /\n", epoch=1_000_000_000)
    assert first.index == second.index and second.scans


def test_stages_and_the_context_are_scanned_when_asked(laboratory: Laboratory) -> None:
    application(laboratory)
    laboratory.write("package-lock.json", LOCK)
    laboratory.write("secret/package-lock.json", LOCK.replace("declared", "hidden"))
    laboratory.write(".dockerignore", "secret\n")
    text = (
        "ARG BUILDKIT_SBOM_SCAN_STAGE=tools\nARG BUILDKIT_SBOM_SCAN_CONTEXT=true\n"
        "FROM busybox AS tools\nCOPY app /app\nFROM scratch\nCOPY --from=tools /bin/busybox /\n"
    )
    core, context, tools = laboratory.build(text).documents()
    names = [document["name"] for document in (core, context, tools)]
    assert names == ["sbom", "sbom-context", "sbom-tools"]
    assert "left-pad 1.3.0" in packages(tools) - packages(core)
    assert "declared 2.0.0" in packages(context) and "hidden 2.0.0" not in packages(context)


def test_extras_are_not_built_without_an_sbom(laboratory: Laboratory) -> None:
    from builder import BuildOptions, CacheOnlyOutput, build

    options = BuildOptions(
        context=str(laboratory.context / "missing"),
        dockerfile_text=b"ARG BUILDKIT_SBOM_SCAN_CONTEXT=true\nFROM scratch\n",
        root=laboratory.root,
        outputs=(CacheOnlyOutput(),),
    )
    (laboratory.context / "missing").mkdir()
    assert build(options).executed == 0


def test_files_are_left_out_when_nobody_wants_them(laboratory: Laboratory) -> None:
    laboratory.write("var/lib/dpkg/status", DPKG.format(architecture="all"))
    laboratory.write("var/lib/dpkg/info/made-up.list", "/var/lib/dpkg/status\n")
    (document,) = laboratory.build(
        "FROM scratch\nCOPY . /\n", sbom=SbomOptions(parameters=(("FILE_METADATA", "none"),))
    ).documents()
    assert "made-up 1.2-3" in packages(document)


def test_an_empty_image_has_an_empty_sbom(laboratory: Laboratory) -> None:
    (document,) = laboratory.build("FROM scratch\n").documents()
    assert len(document["packages"]) == 1
