"""Annotations of the command line and of exporter attributes."""

from __future__ import annotations

import pytest
from made import AMD64, ARM64

from builder.system.errors import UsageError
from exporter.annotations import Annotation, annotations_for, parse_annotation, parse_attribute
from exporter.errors import InvalidOutput


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("key", [Annotation(key="key", value="v")]),
        ("manifest:key", [Annotation(key="key", value="v")]),
        ("index:key", [Annotation(level="index", key="key", value="v")]),
        ("index:a:b", [Annotation(level="index", key="a:b", value="v")]),
        (
            "index-descriptor,manifest-descriptor[linux/arm64]:key",
            [
                Annotation(level="index-descriptor", key="key", value="v"),
                Annotation(level="manifest-descriptor", key="key", value="v", platform=ARM64),
            ],
        ),
    ],
)
def test_levels_in_front_of_a_key_say_where_it_lands(name: str, expected: list[Annotation]) -> None:
    assert list(parse_annotation(name, "v")) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layer:key", 'unknown annotation type "layer"'),
        (":key", 'unknown annotation type ""'),
        ("index:", 'invalid annotation "index:=v", expected key=value'),
        ("index[linux/arm64]:key", "cannot be for one platform"),
        ("manifest[a/b/c/d]:key", "cannot parse platform specifier"),
    ],
)
def test_a_wrong_annotation_is_refused_with_its_reason(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_annotation(name, "v")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("annotation.org.example.key", Annotation(key="org.example.key", value="v")),
        ("annotation-index.key", Annotation(level="index", key="key", value="v")),
        ("annotation-manifest[linux/amd64].a", Annotation(key="a", value="v", platform=AMD64)),
        ("annotation[linux/arm64].a", Annotation(key="a", value="v", platform=ARM64)),
    ],
)
def test_exporter_attributes_mean_the_same_annotations(name: str, expected: Annotation) -> None:
    assert parse_attribute(name, "v") == expected


def test_an_attribute_without_a_key_is_refused() -> None:
    with pytest.raises(InvalidOutput, match="invalid annotation attribute 'annotation'"):
        parse_attribute("annotation", "v")


def test_an_annotation_for_one_platform_wins_over_one_for_all() -> None:
    both = [Annotation(key="k", value="own", platform=ARM64), Annotation(key="k", value="all")]
    assert annotations_for(both, "manifest", ARM64) == {"k": "own"}
    assert annotations_for(both, "manifest", AMD64) == {"k": "all"}


def test_annotations_are_sorted_by_key_whatever_order_they_came_in() -> None:
    unsorted = [Annotation(key=key, value="v") for key in "cab"]
    assert list(annotations_for(unsorted, "manifest")) == ["a", "b", "c"]
