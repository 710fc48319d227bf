"""What the judge itself must not miss."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from accepted import ACCEPTED
from cases import all_cases, read_cases
from compare import Result, differences, read_failure
from flatten import Image, flatten

DOCUMENT = Path(__file__).parents[2] / "docs/conformance.md"


def member(name: str, kind: bytes = tarfile.REGTYPE, **attributes: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def layer(*members: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in members:
            archive.addfile(each, io.BytesIO(b"x" * each.size))
    return packed.getvalue()


def result(*layers: bytes, **config: object) -> Result:
    described = {"os": "linux", "rootfs": {"diff_ids": [None] * len(layers)}, "config": config}
    return Result(images={"linux": Image(described, [], {}, *flatten(list(layers)))})


def subjects(theirs: Result, ours: Result) -> list[str]:
    return [each.subject for each in differences(theirs, ours, started=100)]


def test_a_whiteout_removes_what_lower_layers_have() -> None:
    below = layer(member("d", tarfile.DIRTYPE), member("d/a"), member("d/b"))
    assert sorted(flatten([below, layer(member("d/.wh.a"))])[0]) == ["d", "d/b"]


def test_an_opaque_mark_hides_the_lower_layers_and_not_its_own() -> None:
    below = layer(member("d", tarfile.DIRTYPE), member("d/a"))
    above = layer(member("d", tarfile.DIRTYPE), member("d/.wh..wh..opq"), member("d/b"))
    assert sorted(flatten([below, above])[0]) == ["d", "d/b"]


def test_a_file_in_the_place_of_a_directory_removes_what_was_in_it() -> None:
    below = layer(member("d", tarfile.DIRTYPE), member("d/a"))
    assert list(flatten([below, layer(member("d"))])[0]) == ["d"]


@pytest.mark.parametrize(
    ("attributes", "subject"),
    [
        ({"mode": 0o600}, "mode"),
        ({"uid": 5}, "owner"),
        ({"gid": 5}, "owner"),
        ({"mtime": 7}, "mtime"),
        ({"size": 1}, "content"),
        ({"pax_headers": {"SCHILY.xattr.user.k": "v"}}, "xattrs"),
        ({"type": tarfile.FIFOTYPE}, "kind"),
    ],
)
def test_a_difference_of_one_file_is_found(attributes: dict[str, object], subject: str) -> None:
    ours = result(layer(member("f", **attributes)))  # type: ignore[arg-type]
    assert f"files 'f' {subject}" in subjects(result(layer(member("f"))), ours)


def test_times_that_both_builds_made_are_no_difference() -> None:
    assert not subjects(result(layer(member("f", mtime=101))), result(layer(member("f", mtime=102))))


def test_a_time_made_where_one_was_to_be_copied_is_a_difference() -> None:
    theirs, ours = result(layer(member("f", mtime=7))), result(layer(member("f", mtime=102)))
    assert subjects(theirs, ours) == ["files 'f' mtime"]


def test_a_hard_link_that_became_a_file_is_a_difference() -> None:
    linked = layer(member("a"), member("b", tarfile.LNKTYPE, linkname="a"))
    assert subjects(result(linked), result(layer(member("a"), member("b")))) == [
        "files 'a' links",
        "files 'b' links",
    ]


def test_a_path_that_one_layer_lacks_is_a_difference() -> None:
    found = subjects(result(layer(member("a"))), result(layer(member("a"), member("b"))))
    assert found == ["layer 0 'b'", "files 'b'"]


def test_a_member_of_the_config_that_only_one_has_is_a_difference() -> None:
    assert subjects(result(User="a"), result()) == ["config User"]


def test_a_build_that_fails_differs_from_one_that_does_not() -> None:
    assert subjects(read_failure("ERROR: failed to solve: no"), result()) == ["message"]


def test_where_the_engine_mounted_a_root_is_not_part_of_a_message() -> None:
    said = "ERROR: failed to solve: mkdir /var/lib/x/cachemounts/buildkit12/etc/passwd: not a directory"
    assert read_failure(said).message == "mkdir /etc/passwd: not a directory"


def test_the_order_of_the_rules_that_were_broken_is_not_part_of_a_message() -> None:
    said = "ERROR: failed to solve: lint violation found for rules: StageNameCasing, FromAsCasing"
    assert read_failure(said).message == "lint violation found for rules: FromAsCasing, StageNameCasing"


def test_a_section_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sections are"):
        read_cases("=== name\nFROM scratch\n--- contxt\n", "group")


def test_every_case_has_a_name_of_its_own() -> None:
    folders = [case.folder for case in all_cases()]
    assert len(folders) == len(set(folders))


def test_every_accepted_difference_is_one_of_a_case_and_in_the_document() -> None:
    known = {case.folder for case in all_cases()}
    text = " ".join(DOCUMENT.read_text().split())
    for row in ACCEPTED:
        assert any(Path(folder).match(row.cases) for folder in known), row.cases
        assert row.reason in text


def test_the_hint_below_a_message_is_not_compared() -> None:
    assert read_failure("ERROR: failed to solve: no\ndo this\n").message == "no"
