"""Provenance: what each mode says of a build, in the form of SLSA and in that of BuildKit."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from attested import FACTS, image, made, request, run, run_metadata, steps
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2

from builder.graph import (
    Copy,
    Description,
    File,
    Git,
    SecretMount,
    SshMount,
    vertex,
)
from exporter.attest.options import ProvenanceOptions
from exporter.attest.provenance.facts import Material, Request, ResultFacts
from exporter.attest.provenance.make import provenance, provenance_attestation
from exporter.attest.provenance.redact import redacted
from exporter.errors import ExportError


def test_the_predicate_of_v1_is_one_for_the_types_of_in_toto() -> None:
    predicate = made(run(image()), materials=(Material(kind="image", uri="pkg:x", digest={"sha256": "0"}),))
    read = json_format.ParseDict(predicate, provenance_pb2.Provenance(), ignore_unknown_fields=True)
    assert read.build_definition.build_type.endswith("slsa-definitions.md")
    assert read.build_definition.resolved_dependencies[0].uri == "pkg:x"
    assert read.build_definition.external_parameters["configSource"]["path"] == "Dockerfile"
    assert read.run_details.metadata.invocation_id == "id"
    assert read.run_details.metadata.finished_on.ToJsonString() == "2026-01-01T00:00:01.500Z"


def test_only_members_of_buildkit_are_unknown_to_the_types_of_in_toto() -> None:
    predicate = made(run(image()))
    kept = {name for name in run_metadata(predicate) if not name.startswith("buildkit_")}
    predicate["runDetails"]["metadata"] = {name: run_metadata(predicate)[name] for name in kept}
    json_format.ParseDict(predicate, provenance_pb2.Provenance())


def test_members_stand_in_the_order_of_buildkit() -> None:
    predicate = made(run(image()), reproducible=True, materials=(Material(kind="http", uri="u", digest={}),))
    assert list(predicate["buildDefinition"]) == [
        "buildType", "resolvedDependencies", "externalParameters", "internalParameters",
    ]  # fmt: skip
    assert list(run_metadata(predicate)) == [
        "invocationId", "startedOn", "finishedOn", "buildkit_metadata", "buildkit_completeness",
        "buildkit_reproducible",
    ]  # fmt: skip


def test_arguments_that_only_steer_the_builder_are_left_out() -> None:
    assert sorted(request(made(None))["args"]) == ["build-arg:KEY", "context:src", "label:a", "target"]


def test_min_leaves_out_arguments_labels_secrets_and_steps_and_says_that_it_does() -> None:
    secret = run(image(), secrets=(SecretMount(id="token", target="/run/secrets/token"),))
    predicate = made(secret, mode="min")
    assert request(predicate) == {
        "frontend": "dockerfile.v0",
        "args": {"context:src": "https://xxxxx@example.com/c.git", "target": "app"},
        "locals": [{"name": "context"}, {"name": "dockerfile"}],
        "compatibilityVersion": 30,
    }
    assert "buildConfig" not in predicate["buildDefinition"]["internalParameters"]
    assert list(run_metadata(predicate)["buildkit_metadata"]) == ["vcs"]
    assert run_metadata(predicate)["buildkit_completeness"]["request"] is False


def test_min_is_complete_when_there_was_nothing_to_leave_out() -> None:
    facts = msgspec.structs.replace(FACTS, request=Request(frontend="dockerfile.v0"))
    predicate = made(run(image()), facts=facts, mode="min")
    assert run_metadata(predicate)["buildkit_completeness"]["request"] is True


def test_a_graph_without_a_dockerfile_has_no_frontend_and_no_complete_request() -> None:
    predicate = made(image(), facts=msgspec.structs.replace(FACTS, request=Request()))
    assert request(predicate) == {"compatibilityVersion": 30}
    assert "dockerfileVersion" not in predicate["buildDefinition"]["internalParameters"]
    assert run_metadata(predicate)["buildkit_completeness"]["request"] is False


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("version", ["v1", "v0.2"])
def test_no_credential_of_a_url_is_anywhere(mode: str, version: str) -> None:
    fetch = run(
        image(), env=(("U", "ftp://me:hunter2@h/"),), proxy_env=(("HTTP_PROXY", "http://me:hunter2@p"),)
    )
    chosen = ProvenanceOptions(mode=mode, version=version)  # type: ignore[arg-type]
    attested = provenance_attestation(
        provenance(FACTS, ResultFacts(vertex=fetch, materials=()), chosen), chosen
    )
    text = bytes(attested.predicate)
    assert b"hunter2" not in text
    for info in (
        json.loads(text)
        .get("runDetails", {})
        .get("metadata", {})
        .get("buildkit_metadata", {})
        .get("source", {})
        .get("infos", [])
    ):
        assert b"hunter2" not in base64.b64decode(info["data"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:pass@h/x", "https://xxxxx@h/x"),
        ("https://token@h/x?a=b@c", "https://xxxxx@h/x?a=b@c"),
        ("https://me:p@ss@h/x", "https://xxxxx@h/x"),
        ("https://h/a@b", "https://h/a@b"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("a http://u:p@x b ssh://v@y", "a http://xxxxx@x b ssh://xxxxx@y"),
    ],
)
def test_users_and_passwords_of_urls_are_replaced(text: str, expected: str) -> None:
    assert redacted(text) == expected


def test_secrets_and_agents_are_named_and_a_secret_that_some_step_needs_is_not_optional() -> None:
    optional = run(image(), secrets=(SecretMount(id="a", target="/a"), SecretMount(id="b", env="B")))
    needed = run(
        optional,
        secrets=(SecretMount(id="a", target="/a", required=True),),
        mounts=(SshMount(id="default", target="/s"),),
    )
    assert request(made(needed))["secrets"] == [{"id": "a"}, {"id": "b", "optional": True}]
    assert request(made(needed))["ssh"] == [{"id": "default", "optional": True}]


def test_a_git_source_may_use_the_secrets_of_git() -> None:
    source = vertex(Git(remote="https://h/r.git"), description=Description(name="git"))
    copied = vertex(
        File(base=None, actions=(Copy(input=0, sources=("/",), destination="/"),)), source,
        description=Description(name="ADD"),
    )  # fmt: skip
    assert request(made(copied))["secrets"] == [
        {"id": "GIT_AUTH_HEADER", "optional": True}, {"id": "GIT_AUTH_TOKEN", "optional": True},
    ]  # fmt: skip


def test_steps_come_in_the_order_of_dependency_and_end_with_the_result() -> None:
    listed = steps(made(run(image())))
    assert [(each["id"], each.get("inputs")) for each in listed] == [
        ("step0", None), ("step1", ["step0:0"]), ("step2", ["step1:0"]),
    ]  # fmt: skip
    assert list(listed[1]["op"]) == ["Op", "platform", "constraints"]
    assert listed[2]["op"] == {"Op": {}}


def test_every_step_has_a_digest_that_leads_to_it() -> None:
    config = made(run(image()))["buildDefinition"]["internalParameters"]["buildConfig"]
    assert sorted(config["digestMapping"].values()) == ["step0", "step1", "step2"]


def test_steps_are_found_in_the_text_that_they_were_read_from() -> None:
    source = run_metadata(made(run(image())))["buildkit_metadata"]["source"]
    assert source["locations"]["step1"] == {
        "locations": [{"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]}]
    }
    assert source["infos"][0]["filename"] == "Dockerfile"
    assert base64.b64decode(source["infos"][0]["data"]).startswith(b"FROM alpine\nRUN fetch https://xxxxx@")


@pytest.mark.parametrize(
    ("network", "local", "hermetic"),
    [("none", False, True), ("default", False, False), ("none", True, False)],
)
def test_a_build_is_hermetic_without_network_and_without_local_directories(
    network: str, local: bool, hermetic: bool
) -> None:
    facts = msgspec.structs.replace(
        FACTS, request=Request(frontend="dockerfile.v0", locals=("context",) if local else ())
    )
    metadata = run_metadata(made(run(image(), network=network), facts=facts))
    assert metadata.get("buildkit_hermetic", False) is hermetic


def test_complete_materials_are_refused_when_a_directory_of_the_caller_was_used() -> None:
    with pytest.raises(ExportError, match="provenance materials are incomplete"):
        made(image(), complete=True)


def test_v02_says_the_same_in_its_own_words() -> None:
    material = Material(kind="image", uri="pkg:docker/alpine@3", digest={"sha256": "0"})
    predicate = made(run(image()), version="v0.2", materials=(material,), builder_id="https://b")
    assert list(predicate) == ["builder", "buildType", "materials", "invocation", "buildConfig", "metadata"]
    assert predicate["invocation"]["configSource"] == {"entryPoint": "Dockerfile"}
    assert predicate["invocation"]["environment"] == {"dockerfileVersion": "1", "platform": "linux/amd64"}
    assert predicate["metadata"]["completeness"] == {
        "parameters": True, "environment": True, "materials": False,
    }  # fmt: skip
    assert predicate["metadata"]["reproducible"] is False
    assert "https://mobyproject.org/buildkit@v1#metadata" in predicate["metadata"]


def test_materials_are_images_then_repositories_then_files_sorted_by_address() -> None:
    materials = tuple(
        Material(kind=kind, uri=uri, digest={"sha256": "0"})  # type: ignore[arg-type]
        for kind, uri in [("http", "a"), ("git", "z"), ("git", "b"), ("image", "y")]
    )
    listed = made(None, materials=materials)["buildDefinition"]["resolvedDependencies"]
    assert [each["uri"] for each in listed] == ["y", "b", "z", "a"]
