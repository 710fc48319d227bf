"""SPDX documents with holes: what is filled in, and what is left alone."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.scanner.template import Filling, Template, fill, write_template

FILES = {"etc/a": 0, "etc/b": 1}
DIGESTS = ("sha256:aa", "sha256:bb")


def document(**members: object) -> dict[str, object]:
    return {
        "spdxVersion": "SPDX-2.3",
        "documentNamespace": "https://anchore.com/syft/dir/sbom-be625c87-1925-4ffe-97b0-d25322f15646",
        "creationInfo": {"created": "2026-01-02T03:04:05Z", "creators": ["Tool: x"]},
        "files": [{"fileName": "/etc/a"}, {"fileName": "./etc/b"}, {"fileName": "gone"}],
        **members,
    }


def written(value: object, *, located: bool = True, is_ours: bool = False) -> tuple[bytes, Template]:
    sink = io.BytesIO()
    raw = msgspec.Raw(value if isinstance(value, bytes) else json.dumps(value).encode())
    template = write_template(raw, sink, locate=FILES.get if located else None, is_ours=is_ours)
    return sink.getvalue(), template


def filled(
    value: object, filling: Filling, *, located: bool = True, is_ours: bool = False
) -> dict[str, object]:
    content, template = written(value, located=located, is_ours=is_ours)
    result = json.loads(b"".join(fill(content, template, filling)))
    assert isinstance(result, dict)
    return result


def test_files_name_the_blob_of_the_layer_that_holds_them() -> None:
    found = filled(document(), Filling(layers=DIGESTS))
    assert found["files"] == [
        {"fileName": "/etc/a", "comment": "layerID: sha256:aa"},
        {"fileName": "./etc/b", "comment": "layerID: sha256:bb"},
        {"fileName": "gone"},
    ]


def test_a_comment_that_is_there_stays() -> None:
    files = [{"fileName": "etc/a", "comment": "mine"}]
    assert filled(document(files=files), Filling(layers=DIGESTS))["files"] == files


@pytest.mark.parametrize(
    ("before", "after"), [(["Tool: x"], ["Tool: x", "Tool: dockyard-1"]), ([], ["Tool: dockyard-1"])]
)
def test_the_creator_is_added_behind_the_others(before: list[str], after: list[str]) -> None:
    value = document(creationInfo={"creators": before, "created": "t"})
    assert filled(value, Filling(creator="Tool: dockyard-1"))["creationInfo"] == {
        "creators": after,
        "created": "t",
    }


def test_the_time_of_a_foreign_document_stays() -> None:
    found = filled(document(), Filling(created="1970-01-01T00:00:00Z"))
    assert found["creationInfo"] == {"created": "2026-01-02T03:04:05Z", "creators": ["Tool: x"]}


def test_two_scans_of_the_same_give_the_same_document() -> None:
    other = document(
        documentNamespace="https://anchore.com/syft/dir/sbom-00000000-1925-4ffe-97b0-d25322f15646",
        creationInfo={"created": "2027-01-02T03:04:05Z", "creators": ["Tool: x"]},
    )
    filling = Filling(layers=DIGESTS, creator="Tool: y", created="1970-01-01T00:00:00Z")
    assert filled(document(), filling, is_ours=True) == filled(other, filling, is_ours=True)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(document(name="other"), id="content"),
        pytest.param(document(creationInfo={"created": "2027", "creators": ["Tool: x"]}), id="time"),
    ],
)
def test_different_documents_have_different_namespaces(other: dict[str, object]) -> None:
    one = filled(document(), Filling(), is_ours=True)["documentNamespace"]
    assert filled(other, Filling(), is_ours=True)["documentNamespace"] != one


def test_the_namespace_depends_on_the_layers() -> None:
    one = filled(document(), Filling(layers=DIGESTS), is_ours=True)["documentNamespace"]
    two = filled(document(), Filling(layers=DIGESTS[::-1]), is_ours=True)["documentNamespace"]
    assert str(one).startswith("https://anchore.com/syft/dir/sbom-") and one != two


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b' {"files" : "none"} ', id="files that are no list"),
        pytest.param(b'{"files":[{"fileName":1}]}', id="a file without a name"),
        pytest.param(b'{"creationInfo":[]}', id="no facts of its making"),
        pytest.param(b"[1, 2]", id="no object"),
    ],
)
def test_what_is_no_spdx_passes_byte_for_byte(text: bytes) -> None:
    content, template = written(text)
    assert (content, template.holes, template.comments) == (text, [], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    members=st.dictionaries(st.text(), JSON, max_size=4),
    files=st.lists(
        st.fixed_dictionaries({"fileName": st.sampled_from(["etc/a", "/etc/b", "x", "é\n"])}), max_size=4
    ),
)
def test_a_document_whose_holes_stay_empty_says_what_it_said(
    members: dict[str, object], files: list[dict[str, str]]
) -> None:
    value = document(**members) | {"files": files}
    assert filled(value, Filling()) == value
