"""`--output`: what each form means, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.reference import InvalidReference
from builder.store.containerd.address import Address
from builder.system.errors import DockyardError, Unsupported
from exporter.annotations import Annotation
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
from exporter.outputspec import parse_output, with_load, with_push


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("type=image", ImageOutput()),
        ("type=image,name=hello:1", ImageOutput(names=("hello:1",))),
        ('type=image,"name=hello:1,hello:2"', ImageOutput(names=("hello:1", "hello:2"))),
        ("type=image,push=false,store=true,oci-mediatypes=true,unpack=false", ImageOutput()),
        ("type=image,unpack=true", ImageOutput(unpack=True)),
        ("type=image,store=embedded", ImageOutput(place="embedded")),
        ("type=image,store=/run/c.sock", ImageOutput(place=Address("/run/c.sock"))),
        (
            "type=image,store=unix:///run/c.sock,namespace=k8s.io",
            ImageOutput(place=Address("/run/c.sock", "k8s.io")),
        ),
        ("type=registry,store-allow-incomplete=false", ImageOutput(push=True)),
        ("type=image,buildinfo=true,buildinfo-attrs=false", ImageOutput()),
        ("type=image,push=,store=0", ImageOutput(push=True, store=False)),
        (
            "type=registry,name=r.example/a",
            ImageOutput(push=True, allow_incomplete=True, names=("r.example/a",)),
        ),
        (
            "type=image,push=true,push-by-digest=true,registry.insecure=true",
            ImageOutput(push=True, by_digest=True, insecure=True),
        ),
        (
            "type=image,name-canonical=true,dangling-name-prefix=old,danging-name-empty-only=true",
            ImageOutput(name_canonical=True, dangling_prefix="old", dangling_only_unnamed=True),
        ),
        ("type=image,oci-mediatypes=false,optional=true", ImageOutput(docker_types=True, optional=True)),
        ("type=image,rewrite-timestamp=true", ImageOutput(rewrite_timestamp=True)),
        ("type=image,compression=estargz", ImageOutput(compression="estargz")),
        ("type=cacheonly", CacheOnlyOutput()),
        ("type=oci", OciOutput()),
        ("type=docker", LoadOutput()),
        ("type=docker,dest=", LoadOutput()),
        ("type=docker,dest=-", DockerOutput()),
        ("type=docker,dest=x.tar", DockerOutput(dest=Path("x.tar"))),
        ("out", LocalOutput(dest=Path("out"))),
        ("-", TarOutput()),
        ("type=tar,dest=x.tar,platform-split=false", TarOutput(dest=Path("x.tar"), platform_split=False)),
        (
            "type=local,dest=out,mode=delete,attestation-prefix=a-",
            LocalOutput(dest=Path("out"), mode="delete", attestation_prefix="a-"),
        ),
        ("type=oci,dest=-", OciOutput()),
        ("type=oci,dest=a/x.tar", OciOutput(dest=Path("a/x.tar"))),
        ("type=docker,dest=x,tar=false", DockerOutput(dest=Path("x"), tar=False)),
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
        ("", "type is required for output"),
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
        ("type=local", "dest is required for local exporter"),
        ("type=local,dest=-", "dest cannot be stdout for local exporter"),
        ("type=local,dest=x,mode=move", 'invalid local exporter mode "move"'),
        ("type=local,dest=x,name=y", "output type local has no attribute 'name'"),
        ("type=tar,push=false", "output type tar has no attribute 'push'"),
        ("type=image,rewrite-timestamp=", "non-bool value specified for rewrite-timestamp"),
        ("type=oci,oci-mediatypes=false", "an OCI layout cannot have oci-mediatypes=false"),
        ("type=docker,tar=false", "dest is required for docker exporter with tar=false"),
        ("type=image,store=classic", "there is no store 'classic'"),
        ("type=image,namespace=moby", "namespace needs store=ADDRESS"),
        (
            "type=image,rewrite-timestamp=true,unpack=true",
            'exporter option "rewrite-timestamp" conflicts with "unpack"',
        ),
        ("type=image,compression=nydus", "unsupported compression type nydus"),
        (
            "type=image,compression=estargz,oci-mediatypes=false",
            'exporter option "compression=estargz" conflicts with "oci-mediatypes=false"',
        ),
        (
            "type=docker,dest=x,annotation.a=b,oci-mediatypes=false",
            'cannot export annotations with "oci-mediatypes=false"',
        ),
    ],
)
def test_a_wrong_output_is_refused_with_its_reason(spec: str, message: str) -> None:
    with pytest.raises((InvalidOutput, Unsupported), match=message):
        parse_output(spec)


@pytest.mark.parametrize("spec", ["type=oci,unpack=true", "type=oci,push=true"])
def test_what_dockyard_does_not_do_is_called_not_supported(spec: str) -> None:
    with pytest.raises(Unsupported, match="is not supported"):
        parse_output(spec)


def test_push_adds_the_registry_to_the_image_that_is_stored_anyway() -> None:
    assert with_push((OciOutput(), ImageOutput())) == (
        OciOutput(),
        ImageOutput(push=True),
    )


def test_push_alone_is_an_image_for_the_registry() -> None:
    assert with_push((OciOutput(),)) == (OciOutput(), ImageOutput(push=True, allow_incomplete=True))


def test_load_adds_the_engine_once() -> None:
    assert with_load(with_load((CacheOnlyOutput(),))) == (CacheOnlyOutput(), LoadOutput())


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
