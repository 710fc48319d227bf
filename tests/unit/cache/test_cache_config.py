"""The config of caches elsewhere: what is written is read again, and what is hostile is refused."""

from __future__ import annotations

import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.cache.remote.config import (
    MAX_CONFIG,
    decode_cache_config,
    decode_inline,
    encode_cache_config,
    encode_inline,
)
from builder.cache.remote.stacks import (
    CachedLayer,
    CachedStep,
    describe_inline,
    describe_steps,
    listed_layer,
    read_config,
    read_inline,
    read_listed,
)
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.manifest import InvalidDocument
from builder.oci.mediatypes import OCI_LAYER

TIME = "2024-05-01T10:00:00.123456789Z"


def digest(name: object) -> Digest:
    return Digest.of(str(name).encode())


def layer(name: object) -> CachedLayer:
    blob = Descriptor(media_type=OCI_LAYER + "+gzip", digest=digest(f"blob {name}"), size=7)
    return CachedLayer(descriptor=blob, diff_id=DiffID(digest(f"tar {name}")), created=TIME)


def step(name: str, *layers: object, definition: bool = False) -> CachedStep:
    return CachedStep(
        key=digest(name),
        definition=digest(f"definition of {name}") if definition else None,
        layers=tuple(map(layer, layers)) or None,
    )


steps = st.lists(
    st.builds(
        lambda name, names, defined: step(name, *names, definition=defined),
        st.sampled_from("abcdef"),
        st.lists(st.integers(0, 5), max_size=4),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)


@given(steps)
def test_what_a_cache_says_of_steps_is_read_again(given_steps: list[CachedStep]) -> None:
    config, listed = describe_steps(given_steps)
    known = read_config(
        decode_cache_config(encode_cache_config(config)), {each.descriptor.digest: each for each in listed}
    )
    assert known.definitions == {each.definition: each.key for each in given_steps if each.definition}
    for each in given_steps:
        assert known.result(each.key) == each.layers
        if each.definition is not None:
            assert known.result(each.definition) == each.layers


@given(steps)
def test_a_config_that_describes_its_layers_needs_no_manifest(given_steps: list[CachedStep]) -> None:
    config, _ = describe_steps(given_steps, annotated=True)
    known = read_config(decode_cache_config(encode_cache_config(config)), {})
    assert all(known.result(each.key) == each.layers for each in given_steps)


@given(steps, st.randoms(use_true_random=False))
def test_the_order_of_steps_does_not_change_a_config(given_steps: list[CachedStep], random: object) -> None:
    shuffled = sorted(given_steps, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert describe_steps(shuffled) == describe_steps(given_steps)


def test_every_link_points_at_the_key_that_the_definition_led_to() -> None:
    config, _ = describe_steps([step("a", 1, definition=True)])
    links = {each.digest: each.inputs for each in config.records}
    position = links[digest("definition of a")][0][0].link
    assert config.records[position].digest == digest("a")


def test_a_parent_that_is_the_first_layer_is_left_out_and_none_is_written() -> None:
    config, _ = describe_steps([step("a", 1, 2)])
    written = json.loads(encode_cache_config(config))["layers"]
    parents = [each.get("parent", 0) for each in written]
    lowest = [each["blob"] for each in written].index(str(layer(1).descriptor.digest))
    assert parents[lowest] == -1
    assert parents[1 - lowest] == lowest


def test_the_same_blob_on_different_layers_is_listed_for_each() -> None:
    config, listed = describe_steps([step("a", 1, 3), step("b", 2, 3)])
    assert len(config.layers) == len(listed) == 4


def test_a_layer_keeps_its_diff_id_and_time_in_a_manifest() -> None:
    assert read_listed(listed_layer(layer(1))) == layer(1)


def test_what_else_a_cache_says_of_a_layer_does_not_come_along() -> None:
    listed = listed_layer(layer(1))
    said = {**listed.annotations, "org.example": "x"}
    more = msgspec.structs.replace(listed, annotations=said, urls=("http://elsewhere",), data="eA==")
    assert read_listed(more) == layer(1)


@pytest.mark.parametrize("annotations", [{}, {"containerd.io/uncompressed": "md5:1"}])
def test_a_listed_layer_without_a_diff_id_is_not_used(annotations: dict[str, str]) -> None:
    blob = Descriptor(media_type=OCI_LAYER, digest=digest(1), size=1, annotations=annotations)
    assert read_listed(blob) is None


def test_a_result_with_an_unknown_layer_is_left_out() -> None:
    config, listed = describe_steps([step("a", 1), step("b", 1, 2)])
    known = read_config(config, {each.descriptor.digest: each for each in listed if each == layer(1)})
    assert known.result(digest("a")) == (layer(1),)
    assert known.result(digest("b")) is None


def test_an_inline_cache_is_a_string_of_the_records_alone() -> None:
    records = describe_inline([step("a", 1), step("b", 1, 2), step("c", 9)], [layer(1), layer(2)])
    assert decode_inline(encode_inline(records)) == records
    known = read_inline(records, [layer(1), layer(2)])
    found = [known.result(digest(name)) for name in "abc"]
    assert found == [(layer(1),), (layer(1), layer(2)), None]


def test_an_inline_result_that_is_no_prefix_of_the_image_is_a_chain() -> None:
    image = [layer(1), layer(2), layer(3)]
    (record,) = describe_inline([step("a", 1, 3)], image)
    assert record.chains[0].layers == (0, 2)
    assert read_inline((record,), image).result(digest("a")) == (layer(1), layer(3))


RECORD = {"digest": str(digest("k"))}


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        json.dumps({"records": [{"digest": "sha256:short"}]}).encode(),
        json.dumps({"records": [{**RECORD, "inputs": [[]]}]}).encode(),
        json.dumps({"records": [{**RECORD, "inputs": [[{"link": 0}]]}]}).encode(),
        json.dumps({"records": [{**RECORD, "inputs": [[{"link": 7}]]}]}).encode(),
        json.dumps({"records": [{**RECORD, "inputs": [[{"link": -1}]]}]}).encode(),
        json.dumps({"records": [{**RECORD, "inputs": [[{"link": n}]]} for n in (1, 0)]}).encode(),
        b" " * (MAX_CONFIG + 1),
        b"[" * 100_000,
    ],
    ids=["cut", "list", "digest", "no-key", "itself", "beyond", "before", "circle", "large", "deep"],
)
def test_a_config_that_makes_no_sense_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidDocument):
        decode_cache_config(document)


@pytest.mark.parametrize(
    "layers",
    [
        [{"blob": str(digest(1))}],
        [{"blob": str(digest(1)), "parent": 5}],
        [{"blob": str(digest(1)), "parent": -2}],
        [{"blob": str(digest(1)), "parent": 1}, {"blob": str(digest(2))}],
    ],
    ids=["itself", "beyond", "negative", "circle"],
)
def test_layers_that_stand_on_nothing_are_refused(layers: list[dict[str, object]]) -> None:
    document = {"layers": layers, "records": [{**RECORD, "layers": [{"layer": 0, "createdAt": TIME}]}]}
    with pytest.raises(InvalidDocument):
        read_config(decode_cache_config(json.dumps(document).encode()), {})


def test_a_result_of_a_layer_that_is_not_listed_is_refused() -> None:
    document = {"records": [{**RECORD, "layers": [{"layer": 3, "createdAt": TIME}]}]}
    with pytest.raises(InvalidDocument):
        read_config(decode_cache_config(json.dumps(document).encode()), {})


def test_a_small_config_of_huge_stacks_costs_no_more_than_its_size() -> None:
    layers = [{"blob": str(digest(n)), "parent": n - 1} for n in range(3000)]
    results = [{"layer": 2999, "createdAt": ""}] * 9000
    document = json.dumps({"layers": layers, "records": [{**RECORD, "layers": results}]}).encode()
    tracemalloc.start()
    try:
        read_config(decode_cache_config(document), {})
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [b'"!"', b'"e30="', b"{}", b'"' + b"A" * (MAX_CONFIG + 1) + b'"'])
def test_an_inline_cache_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidDocument):
        decode_inline(value)
