"""Bundles: what a scanner may leave, and what becomes of it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from builder.graph import Exec
from builder.platforms import host_platform
from builder.scanner.bundle import SPDX, make_bundle, open_bundle
from builder.scanner.errors import ScanFailed
from builder.scanner.scanner import Scanner
from builder.scanner.template import Filling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCANNER = Scanner(
    name="scanner", identity=(), operation=Exec(base=None, args=("scan",), platform=host_platform())
)
BARE = msgspec.structs.replace(SCANNER, writes_statements=False)
DOCUMENT = {"spdxVersion": "SPDX-2.3", "creationInfo": {"creators": []}, "files": [{"fileName": "a"}]}


def statement(**members: object) -> str:
    value = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": SPDX, "predicate": DOCUMENT}
    return json.dumps({**value, **members})


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


def bundled(output: Path, scanner: Scanner = SCANNER) -> dict[str, object]:
    """What the documents of the bundle say, by their names; every file is from layer 0."""
    bundle = output.parent / "bundle"
    make_bundle(output, bundle, scanner, locate=lambda _path: 0)
    filling = Filling(layers=("sha256:aa",))
    return {
        document.filename: json.loads(bytes(document.render(filling, output)))
        for document in open_bundle(bundle)
    }


def test_the_predicate_of_a_statement_is_what_counts(output: Path) -> None:
    (output / "sbom-base.spdx.json").write_text(statement())
    assert bundled(output) == {"sbom-base.spdx.json": DOCUMENT}


def test_only_the_core_document_says_where_files_are_from(output: Path) -> None:
    for name in ("sbom.spdx.json", "sbom-base.spdx.json"):
        (output / name).write_text(statement())
    files = {name: document["files"] for name, document in bundled(output).items()}  # type: ignore[index]
    assert files == {
        "sbom-base.spdx.json": [{"fileName": "a"}],
        "sbom.spdx.json": [{"fileName": "a", "comment": "layerID: sha256:aa"}],
    }


def test_a_bare_document_is_one_of_the_scanner_that_comes_along(output: Path) -> None:
    (output / "sbom-x.spdx.json").write_text(json.dumps(DOCUMENT))
    assert bundled(output, BARE) == {"sbom-x.spdx.json": DOCUMENT}


def test_subjects_of_a_scanner_are_kept(output: Path) -> None:
    subject = {"name": "x", "digest": {"sha256": "ab"}}
    (output / "sbom.spdx.json").write_text(statement(subject=[subject]))
    bundled(output)
    (document,) = open_bundle(output.parent / "bundle")
    assert [msgspec.to_builtins(each) for each in document.subjects] == [subject]


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("make", [_link, os.mkfifo, os.mkdir], ids=["link", "fifo", "directory"])
def test_what_is_no_regular_file_is_not_opened(output: Path, make: Callable[[Path], None]) -> None:
    make(output / "sbom.spdx.json")
    with pytest.raises(ScanFailed, match=r"bundle entry sbom\.spdx\.json is not a regular file"):
        bundled(output)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "cannot decode in-toto statement", id="nothing"),
        pytest.param("<html>", "cannot decode in-toto statement", id="garbage"),
        pytest.param("[]", "cannot decode in-toto statement", id="a list"),
        pytest.param(statement()[:-3], "cannot decode in-toto statement", id="half of one"),
        pytest.param(statement() * 2, "in-toto statement is not a single JSON object", id="two of them"),
        pytest.param(
            statement(predicateType="https://x"),
            f"bundle entry https://x does not match required predicate type {SPDX}",
            id="about something else",
        ),
    ],
)
def test_what_is_no_statement_about_spdx_is_refused(output: Path, text: str, message: str) -> None:
    (output / "sbom.spdx.json").write_text(text)
    with pytest.raises(ScanFailed, match=message):
        bundled(output)


def test_a_scanner_that_writes_nothing_has_failed(output: Path) -> None:
    with pytest.raises(ScanFailed, match="scanner wrote no SBOM"):
        bundled(output)


def test_a_name_that_is_not_text_is_refused(output: Path) -> None:
    (output / os.fsdecode(b"sbom\xff.json")).write_text(statement())
    with pytest.raises(ScanFailed, match="not UTF-8"):
        bundled(output)
