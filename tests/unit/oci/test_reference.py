"""References: what people type, and the one name that it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.reference import InvalidReference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
        ("me/app", "docker.io/me/app:latest", "me/app:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("host:5000/a/b:t", "host:5000/a/b:t", "host:5000/a/b:t"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}", f"busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox:1@{DIGEST}", f"busybox:1@{DIGEST}"),
        ("a__b-c.d", "docker.io/library/a__b-c.d:latest", "a__b-c.d:latest"),
    ],
)
def test_a_reference_has_one_full_and_one_familiar_form(text: str, full: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.familiar) == (full, familiar)


@pytest.mark.parametrize(
    "text",
    ["", "/a", "a//b", "a:", "a:b:c", "-a", "a@sha256:short", "a@md5:" + "0" * 32, "a b", "a/../b", "x" * 300,
     "f" * 64, "a:" + "t" * 129],
)  # fmt: skip
def test_text_that_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse_reference(text)


def test_upper_case_in_a_repository_is_refused_in_the_words_of_docker() -> None:
    with pytest.raises(InvalidReference, match=r"repository name \(library/Busy\) must be lowercase"):
        parse_reference("Busy")


@given(st.text(alphabet="abAB01./:@-_", max_size=40))
def test_the_full_form_of_a_reference_parses_to_itself(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReference:
        return
    assert parse_reference(str(reference)) == reference
