"""Steps in the form of BuildKit's low-level build definition, and the layers that they made."""

from __future__ import annotations

from typing import Any

import pytest
from attested import BASE, TEXT, image, made, operation_of, run, run_metadata, steps
from made import AMD64

from builder.graph import (
    BindMount,
    CacheMount,
    Copy,
    Description,
    Exec,
    File,
    Git,
    Http,
    Local,
    Location,
    MakeDirectory,
    MakeFile,
    Merge,
    Owner,
    SecretMount,
    SshMount,
    TmpfsMount,
    vertex,
)
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.mediatypes import OCI_LAYER
from exporter.attest.provenance.chains import layer_chains
from exporter.attest.provenance.definition import definition_digest


def layers(count: int) -> list[Descriptor]:
    return [
        Descriptor(media_type=OCI_LAYER, digest=Digest.of(bytes([n])), size=n, annotations={"a": "b"})
        for n in range(count)
    ]


def test_each_step_has_all_the_layers_below_it_without_their_annotations() -> None:
    chain = layers(2)
    last = run(image())
    listed = run_metadata(made(last, chains=layer_chains(last, chain)))["buildkit_metadata"]["layers"]
    assert {name: [len(each) for each in chains] for name, chains in listed.items()} == {
        "step0:0": [1],
        "step1:0": [2],
    }
    assert listed["step1:0"][0][1] == {
        "mediaType": OCI_LAYER, "digest": chain[1].digest, "size": 1,
    }  # fmt: skip


def test_a_merged_step_has_its_own_layers_alone() -> None:
    base, linked = image(), run(None)
    merged = vertex(Merge(), base, linked, description=Description(name="COPY --link"))
    chains = layer_chains(merged, layers(2))
    assert [each.size for each in chains[linked.digest]] == [1]
    assert [each.size for each in chains[merged.digest]] == [0, 1]


def test_a_command_is_told_with_its_mounts_and_without_values_of_secrets() -> None:
    context = vertex(Local(name="context"), description=Description(name="context"))
    operation = Exec(
        base=0,
        args=("make",),
        env=(("A", "b"),),
        platform=AMD64,
        network="none",
        secrets=(SecretMount(id="s", target="/run/s", env="S"),),
        mounts=(
            BindMount(input=1, target="/src", source="/app"),
            CacheMount(id="c", target="/c", sharing="locked"),
            TmpfsMount(target="/t", size=5),
            SshMount(id="default", target="/agent"),
        ),
    )
    step = vertex(operation, image(), context, description=Description(name="RUN"))
    told = operation_of(step)["exec"]
    assert told["meta"]["env"] == ["A=b"]
    assert [each["dest"] for each in told["mounts"]] == ["/", "/src", "/c", "/t", "/agent", "/run/s"]
    assert told["mounts"][1] == {
        "input": 1,
        "selector": "app",
        "dest": "/src",
        "output": -1,
        "readonly": True,
    }
    assert told["mounts"][2]["cacheOpt"] == {"ID": "c", "sharing": 2}
    assert told["secretenv"] == [{"ID": "s", "name": "S", "optional": True}]
    assert told["network"] == 2


def test_file_actions_follow_each_other_and_the_last_is_the_result() -> None:
    context = vertex(Local(name="context"), description=Description(name="context"))
    operation = File(
        base=0,
        actions=(
            MakeDirectory(path="/d", owner=Owner("app", 5)),
            Copy(input=1, sources=("/a", "/b"), destination="/d/", mode=0o600, exclude=("*.o",)),
            MakeFile(name="f", content="text", destination="/d/", mode="u+x"),
        ),
    )
    actions = operation_of(vertex(operation, image(), context, description=Description(name="files")))[
        "file"
    ]["actions"]
    assert [(each.get("input", 0), each.get("secondaryInput", 0), each.get("output", 0)) for each in actions] == [
        (0, -1, -1), (2, 1, -1), (3, -1, 0),
    ]  # fmt: skip
    assert actions[0]["Action"]["mkdir"]["owner"] == {
        "user": {"User": {"byName": {"name": "app"}}}, "group": {"User": {"byID": 5}},
    }  # fmt: skip
    assert actions[1]["Action"]["copy"]["include_patterns"] == ["/a", "/b"]
    assert actions[2]["Action"]["mkfile"]["path"] == "/d/f"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            Local(name="context", exclude=("*.o",)),
            {"identifier": "local://context", "attrs": {"local.excludepatterns": '["*.o"]'}},
        ),
        (
            Http(url="https://h/f", filename="f", checksum=BASE),
            {"identifier": "https://h/f", "attrs": {"http.checksum": str(BASE), "http.filename": "f"}},
        ),
        (
            Git(remote="https://h/r.git", ref="v1", subdirectory="s", keep_git_dir=True),
            {
                "identifier": "git://h/r.git#v1:s",
                "attrs": {"git.fullurl": "https://h/r.git", "git.keepgitdir": "true"},
            },
        ),
    ],
)  # fmt: skip
def test_sources_have_the_identifiers_of_buildkit(operation: Any, expected: dict[str, Any]) -> None:
    assert operation_of(vertex(operation, description=Description(name="source")))["source"] == expected


def test_the_digest_of_a_step_does_not_say_whether_it_was_done_afresh() -> None:
    afresh = vertex(
        image().operation,
        description=Description(name="FROM", location=Location(TEXT, 1, 1), ignore_cache=True),
    )
    assert afresh.digest != image().digest
    assert steps(made(afresh)) == steps(made(image()))
    assert definition_digest(afresh) == definition_digest(image())
