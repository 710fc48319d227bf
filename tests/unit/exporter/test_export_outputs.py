"""`--output`: what each form means, what is refused, and destinations that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.reference import InvalidReference
from builder.system.errors import DockyardError, Unsupported
from exporter.annotations import Annotation
from exporter.errors import InvalidOutput
from exporter.outputs import CacheOnlyOutput, ImageOutput, OciOutput, Output, parse_output, require_writable


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("type=image", ImageOutput()),
        ("type=image,name=hello:1", ImageOutput(names=("hello:1",))),
        ('type=image,"name=hello:1,hello:2"', ImageOutput(names=("hello:1", "hello:2"))),
        ("type=image,push=false,store=true,oci-mediatypes=true", ImageOutput()),
        ("type=cacheonly", CacheOnlyOutput()),
        ("type=oci", OciOutput()),
        ("type=oci,dest=-", OciOutput()),
        ("type=oci,dest=a/x.tar", OciOutput(dest=Path("a/x.tar"))),
        ("type=oci,dest=x,tar=false", OciOutput(dest=Path("x"), tar=False)),
        ("TYPE=oci,DEST=X.tar", OciOutput(dest=Path("X.tar"))),
        (
            "type=oci,compression=zstd,compression-level=22,force-compression=true",
            OciOutput(compression="zstd", compression_level=22, force_compression=True),
        ),
        ("type=image,source-date-epoch=5", ImageOutput(epoch=5)),
        (
            "type=image,annotation.a=1,annotation-index.b=2",
            ImageOutput(
                annotations=(
                    Annotation(key="a", value="1"),
                    Annotation(level="index", key="b", value="2"),
                )
            ),
        ),
    ],
)
def test_each_form_of_an_output_means_what_it_does_for_buildx(spec: str, expected: Output) -> None:
    assert parse_output(spec) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dest=x,tar=true", "type is required for output"),
        ("", "type is required for output|not supported yet"),
        ("type=image,nonsense=1", "output type image has no attribute 'nonsense'"),
        ("type=image,dest=x", "output type image has no attribute 'dest'"),
        ("type=cacheonly,name=x", "output type cacheonly has no attribute 'name'"),
        ("type=image,force-compression", "invalid value force-compression"),
        ("type=floppy", "unknown output type 'floppy'"),
        ("type=image,compression=lzma", "unsupported compression type lzma"),
        ("type=image,compression-level=10", "compression-level 10 is out of range for gzip"),
        ("type=image,compression=uncompressed,compression-level=1", "out of range for uncompressed"),
        ("type=image,compression-level=fast", "non-integer value 'fast' specified for compression-level"),
        ("type=image,force-compression=maybe", "non-bool value specified for force-compression"),
        ("type=image,annotation-side.k=v", "unrecognized annotation type side"),
        ('type=image,"name=x', "invalid output"),
    ],
)
def test_a_wrong_output_is_refused_with_its_reason(spec: str, message: str) -> None:
    with pytest.raises((InvalidOutput, Unsupported), match=message):
        parse_output(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "out",
        "-",
        "type=local,dest=out",
        "type=tar",
        "type=docker",
        "type=registry",
        "type=image,push=true",
        "type=image,oci-mediatypes=false",
        "type=image,compression=estargz",
    ],
)
def test_what_a_later_version_brings_is_called_not_supported_yet(spec: str) -> None:
    with pytest.raises(Unsupported, match="is not supported yet"):
        parse_output(spec)


def test_a_name_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(InvalidReference):
        parse_output("type=image,name=UPPER")


def test_names_are_completed_as_docker_does() -> None:
    (reference,) = ImageOutput(names=("hello",)).references
    assert str(reference) == "docker.io/library/hello:latest"


@given(st.text(max_size=60))
def test_any_text_is_an_output_or_a_clear_error(spec: str) -> None:
    try:
        parse_output(spec)
    except DockyardError as error:
        assert error.message


def require(*outputs: Output, terminal: bool = False) -> None:
    require_writable(outputs, stdout_is_terminal=terminal)


def test_only_one_output_may_go_to_standard_output() -> None:
    require(OciOutput())
    with pytest.raises(InvalidOutput, match="multiple outputs configured to write to stdout"):
        require(OciOutput(), OciOutput())


def test_an_archive_is_not_written_to_a_terminal() -> None:
    with pytest.raises(InvalidOutput, match="refusing to write to console"):
        require(OciOutput(), terminal=True)


def test_a_directory_is_no_place_for_an_archive(tmp_path: Path) -> None:
    with pytest.raises(InvalidOutput, match=f"destination file {tmp_path} is a directory"):
        require(OciOutput(dest=tmp_path))


def test_a_file_is_no_place_for_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidOutput, match=r"destination directory .*/file is a file"):
        require(OciOutput(dest=tmp_path / "file", tar=False))


@pytest.mark.parametrize("tar", [True, False], ids=["archive", "directory"])
def test_the_directory_of_a_destination_must_exist(tmp_path: Path, tar: bool) -> None:
    with pytest.raises(InvalidOutput, match=f"directory {tmp_path}/no does not exist"):
        require(OciOutput(dest=tmp_path / "no" / "x", tar=tar))


def test_good_destinations_are_left_untouched(tmp_path: Path) -> None:
    require(
        OciOutput(dest=tmp_path / "x.tar"),
        OciOutput(dest=tmp_path / "new", tar=False),
        OciOutput(dest=tmp_path, tar=False),
        ImageOutput(),
        CacheOnlyOutput(),
    )
    assert list(tmp_path.iterdir()) == []
