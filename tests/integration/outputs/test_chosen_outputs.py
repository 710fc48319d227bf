"""Outputs before any work: what tags, engines and promises make of what was asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.api.options import BuildOptions
from builder.api.outputs import chosen_outputs, layer_format, routed
from builder.snapshot.layerdb import Format
from builder.store.engine.places import DEFAULT_SOCKET
from exporter.errors import InvalidOutput
from exporter.outputs import (
    CacheOnlyOutput,
    DockerOutput,
    ImageOutput,
    LoadOutput,
    LocalOutput,
    OciOutput,
    Output,
    TarOutput,
)

LOCAL = LocalOutput(dest=Path("out"))
no_engine = pytest.mark.skipif(os.path.exists(DEFAULT_SOCKET), reason="an engine may listen on this machine")


def chosen(*outputs: Output, **options: object) -> tuple[Output, ...]:
    return chosen_outputs(BuildOptions(outputs=outputs, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("archive", [OciOutput(compression="zstd"), DockerOutput(compression="zstd")])
def test_an_archive_of_a_tagged_image_is_in_the_store_too(archive: Output) -> None:
    stored = ImageOutput(names=("a",), compression="zstd")
    assert chosen(archive, tags=("a",))[1:] == (stored,)


def test_files_of_a_tagged_image_are_not_in_the_store() -> None:
    assert chosen(LOCAL, tags=("a",)) == (LOCAL,)


def test_tags_take_the_place_of_names() -> None:
    assert chosen(ImageOutput(names=("b",)), tags=("a",)) == (ImageOutput(names=("a",)),)


@pytest.mark.parametrize("output", [ImageOutput(), OciOutput(), LOCAL, TarOutput()])
def test_source_date_epoch_is_the_epoch_of_every_output(output: Output) -> None:
    (found,) = chosen(output, build_args={"SOURCE_DATE_EPOCH": "7"})
    assert not isinstance(found, CacheOnlyOutput) and found.epoch == 7


@no_engine
def test_without_an_engine_load_means_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert chosen(LoadOutput(compression="zstd")) == (ImageOutput(compression="zstd"),)


@no_engine
def test_without_an_engine_the_docker_driver_stays_what_it_is(tmp_path: Path) -> None:
    options = BuildOptions(driver="docker", root=tmp_path / "root")
    assert routed(options, {}) == options


def test_the_embedded_classic_store_can_be_named_whatever_listens() -> None:
    options = BuildOptions(driver="classic")
    assert routed(options, {"DOCKER_HOST": "unix:///nonexistent"}) == options


def test_a_driver_that_is_not_docker_asks_no_engine(tmp_path: Path) -> None:
    options = BuildOptions(root=tmp_path / "root")
    assert routed(options, {"DOCKER_HOST": "unix:///nonexistent"}) == options


def test_a_push_needs_a_name() -> None:
    with pytest.raises(InvalidOutput, match="tag is needed when pushing to registry"):
        chosen(ImageOutput(push=True))


def test_a_push_by_digest_takes_no_tag() -> None:
    with pytest.raises(InvalidOutput, match=r"can't push tagged ref r\.example:5000/a:1 by digest"):
        chosen(ImageOutput(push=True, by_digest=True, names=("r.example:5000/a:1",)))


def test_a_push_by_digest_needs_no_tag() -> None:
    output = ImageOutput(push=True, by_digest=True, names=("r.example:5000/a",))
    assert chosen(output) == (output,)


def test_layers_are_made_in_the_form_of_the_first_image() -> None:
    assert layer_format((LOCAL, OciOutput(compression="zstd"), ImageOutput())) == Format("zstd")


def test_who_wants_files_only_gets_no_layers_compressed() -> None:
    assert layer_format((LOCAL, TarOutput())) is None
