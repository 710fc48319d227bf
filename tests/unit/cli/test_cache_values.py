"""Words of `--cache-from` and `--cache-to`: read as buildx reads them, refused in its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.cache.remote.places import (
    CacheExport,
    GithubCache,
    InlineCache,
    LocalCache,
    RegistryCache,
    S3Cache,
)
from builder.cli.cache_values import cache_exports, cache_imports
from builder.oci.reference import InvalidReference
from builder.system.errors import UsageError

GITHUB = {
    "ACTIONS_RUNTIME_TOKEN": "of-the-run",
    "ACTIONS_CACHE_URL": "https://v1/",
    "ACTIONS_RESULTS_URL": "https://v2/",
}


def exported(*words: str, **arguments: str) -> tuple[CacheExport, ...]:
    return cache_exports(words, arguments, {})


def test_references_alone_are_registries() -> None:
    found = cache_imports(("a/b,c:1", "type=registry,ref=d"), {})
    assert [str(place.reference) for place in found if isinstance(place, RegistryCache)] == [
        "docker.io/a/b:latest",
        "docker.io/library/c:1",
        "docker.io/library/d:latest",
    ]


def test_what_nobody_says_is_as_in_buildkit() -> None:
    (export,) = exported("type=local,dest=x")
    assert export == CacheExport(
        place=LocalCache(path=Path("x"), tag="latest"),
        mode="min",
        compression="gzip",
        force=False,
        oci_types=True,
        image_manifest=True,
        ignore_error=False,
    )


def test_names_of_attributes_may_be_capitals_and_values_keep_theirs() -> None:
    assert exported("TYPE=local,Dest=A")[0].place == LocalCache(path=Path("A"))


def test_types_of_docker_make_an_index_unless_something_else_is_said() -> None:
    (export,) = exported("type=local,dest=x,oci-mediatypes=false")
    assert not export.image_manifest


def test_the_build_argument_adds_an_inline_cache_once() -> None:
    inline = CacheExport(place=InlineCache())
    assert exported(BUILDKIT_INLINE_CACHE="1") == (inline,)
    assert exported("type=inline", BUILDKIT_INLINE_CACHE="1") == (inline,)
    assert exported(BUILDKIT_INLINE_CACHE="0") == ()


def test_the_environment_of_a_workflow_says_where_github_is() -> None:
    (first,) = cache_imports(["type=gha"], GITHUB)
    (second,) = cache_imports(["type=gha,scope=s"], {**GITHUB, "ACTIONS_CACHE_SERVICE_V2": "true"})
    assert isinstance(first, GithubCache) and isinstance(second, GithubCache)
    assert (first.version, first.url, first.scope) == (1, "https://v1/", "buildkit")
    assert (second.version, second.url, second.scope) == (2, "https://v2/", "s")


def test_a_bucket_has_the_attributes_of_buildkit() -> None:
    spec = "type=s3,region=r,name=a;b,prefix=p/,touch_refresh=1h30m,use_path_style=true,upload_parallelism=8"
    (place,) = cache_imports([spec], {"AWS_BUCKET": "bucket"})
    assert isinstance(place, S3Cache)
    assert (place.bucket, place.names, place.touch_refresh, place.parallel) == ("bucket", ("a", "b"), 5400, 8)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ref=x", "type required for 'ref=x'"),
        ("type=local,dest", "invalid value dest"),
        ("type=nope,x=y", 'unknown cache exporter: "nope"'),
        ("type=azblob,account_url=x", "type=azblob is not supported"),
        ("type=local", "local cache exporter requires dest"),
        ("type=registry", "type=registry requires ref"),
        ("type=local,dest=x,src=y", "type=local has no attribute src"),
        ("type=local,dest=x,mode=all", "there is no mode 'all'"),
        ("type=local,dest=x,compression=lzma", "unsupported layer compression type 'lzma'"),
        ("type=local,dest=x,compression-level=40", "gzip has no compression-level 40"),
        ("type=local,dest=x,ignore-error=maybe", "failed to parse ignore-error"),
        ("type=local,dest=x,oci-mediatypes=false,image-manifest=true", "OCI mediatypes are required"),
        ("type=gha", "token not set for github actions cache"),
        ("type=gha,token=t", "url not set for github actions cache"),
        ("type=gha,token=t,url=u,version=3", "has no version 3"),
        ("type=s3,region=r", "bucket ($AWS_BUCKET) not set for s3 cache"),
        ("type=s3,bucket=b", "region ($AWS_REGION) not set for s3 cache"),
        ("type=s3,bucket=b,region=r,touch_refresh=soon", "failed to parse touch_refresh"),
    ],
)
def test_what_is_wrong_with_an_export_is_said_in_words(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        exported(spec)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("type=local", "local cache importer requires src"),
        ("type=nope,x=y", 'unknown cache importer: "nope"'),
        ("type=inline,x=y", "an inline cache is read from its image"),
        ("type=local,src=x,reset=true", "type=local has no attribute reset"),
    ],
)
def test_what_is_wrong_with_an_import_is_said_in_words(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        cache_imports([spec], {})
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("type=inline", "type=inline", "inline"),
        ("type=registry,ref=a", "type=registry,ref=a:latest,mode=max", "registry"),
        ("type=local,dest=x", "type=local,dest=x,reset=true", "local"),
    ],
)
def test_the_same_place_twice_is_refused(one: str, other: str, kind: str) -> None:
    with pytest.raises(UsageError, match=rf"duplicate cache exports \[{kind}\]"):
        exported(one, other)


def test_two_tags_of_one_directory_are_two_places() -> None:
    assert len(exported("type=local,dest=x,tag=a", "type=local,dest=x,tag=b")) == 2


def test_secrets_do_not_show_where_options_are_printed() -> None:
    spec = "type=s3,bucket=b,region=r,access_key_id=of-mine,secret_access_key=of-mine,session_token=of-mine"
    places = (*cache_imports([spec], {}), *cache_imports(["type=gha,token=of-mine"], GITHUB))
    assert "of-mine" not in repr(places)


def test_a_reference_that_is_none_is_refused_before_any_work() -> None:
    with pytest.raises(InvalidReference):
        exported("type=registry,ref=UPPER CASE")


def test_cache_mounts_are_refused_with_a_pointer_to_their_own_archive() -> None:
    with pytest.raises(UsageError, match="hold no cache mounts\n`dockyard cache export`"):
        cache_exports(["type=local,dest=c,mounts=true"], {}, {})
