"""What a hostile or broken registry says, met by the real command: one message, exit 1, a sound store."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from builder.oci.digest import Digest
from builder.oci.mediatypes import OCI_INDEX, OCI_MANIFEST
from tests.unit.registry.pictures import several, single
from tests.unit.registry.tiny_registry import TinyRegistry, serve_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.integration.conftest import RunDockyard
    from tests.unit.registry.tiny_registry import Handler

    Spoil = Callable[[TinyRegistry], None]


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with serve_registry() as served:
        yield served


def other_layer(tiny: TinyRegistry) -> None:
    tiny.add_image("a", single().root.digest, single().blobs)
    for (name, digest), content in list(tiny.blobs.items()):
        tiny.blobs[name, digest] = bytes(len(content))


def truncated_manifest(tiny: TinyRegistry) -> None:
    picture = single()
    tiny.manifests["a", "1"] = OCI_MANIFEST, picture.blobs[picture.root.digest][:-20]


def truncated_child(tiny: TinyRegistry) -> None:
    picture = several()
    tiny.add_image("a", picture.root.digest, picture.blobs)
    for name, (media_type, content) in list(tiny.manifests.items()):
        if media_type == OCI_MANIFEST:
            tiny.manifests[name] = media_type, content[:-20]


def index_that_lists_itself(tiny: TinyRegistry) -> None:
    """Its digest cannot be its own; the registry insists that it is."""
    fixed = Digest.of(b"whatever")
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": OCI_INDEX, "digest": fixed, "size": 300}],
        }
    ).encode()
    padded = body[:-1] + b" " * (299 - len(body[:-1])) + b"}"
    tiny.manifests["a", "1"] = tiny.manifests["a", fixed] = OCI_INDEX, padded


def never_authorised(tiny: TinyRegistry) -> None:
    def refuse(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            handler.reply(200, b'{"token":"worthless"}')
        else:
            realm = f'Bearer realm="{tiny.base}/token",service="tiny"'
            handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate=realm)
        return True

    tiny.misbehave = [refuse]


def redirects_in_a_circle(tiny: TinyRegistry) -> None:
    def redirect(handler: Handler) -> bool:
        handler.reply(307, Location=handler.path)
        return True

    tiny.misbehave = [redirect]


def nonsense(tiny: TinyRegistry) -> None:
    tiny.manifests["a", "1"] = "text/html", b"<html>It works!</html>"


BAD = [
    other_layer,
    truncated_manifest,
    truncated_child,
    index_that_lists_itself,
    never_authorised,
    redirects_in_a_circle,
    nonsense,
]


def require_one_message(done: CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert sum(line.startswith("ERROR: ") for line in done.stderr.splitlines()) == 1


@pytest.mark.parametrize("spoil", BAD)
def test_a_pull_ends_with_one_message_and_leaves_the_store_sound(
    dockyard: RunDockyard, tiny: TinyRegistry, spoil: Spoil
) -> None:
    spoil(tiny)
    require_one_message(dockyard("pull", f"{tiny.host}/a:1"))
    assert dockyard("store", "gc", "--check", "--verify").stdout == "The store is sound.\n"
    assert dockyard("images", "-q").stdout == ""
    assert len(tiny.requests) < 30


@pytest.mark.root
@pytest.mark.parametrize("spoil", BAD)
def test_a_build_on_it_ends_with_one_message_and_leaves_the_store_sound(
    dockyard: RunDockyard, tiny: TinyRegistry, tmp_path: Path, spoil: Spoil
) -> None:
    spoil(tiny)
    (tmp_path / "Dockerfile").write_text(f"FROM {tiny.host}/a:1\nCOPY Dockerfile /x/\n")
    require_one_message(dockyard("build", "--progress", "plain", ".", cwd=tmp_path))
    assert dockyard("store", "gc", "--check", "--verify").stdout == "The store is sound.\n"


def test_a_password_does_not_follow_a_redirect_to_another_host(
    dockyard: RunDockyard, tiny: TinyRegistry, tmp_path: Path
) -> None:
    secret = base64.b64encode(b"me:hush").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {tiny.host: {"auth": secret}}}))
    tiny.add_image("a", single().root.digest, single().blobs)
    with serve_registry() as other:
        other.add_image("a", single().root.digest, single().blobs)

        def misbehave(handler: Handler) -> bool:
            if "authorization" not in {name.lower() for name in handler.headers}:
                handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="tiny"')
                return True
            if "/blobs/" in handler.path:
                handler.reply(307, Location=other.base + handler.path)
                return True
            return False

        tiny.misbehave = [misbehave]
        done = dockyard("pull", f"{tiny.host}/a:1", environment={"DOCKER_CONFIG": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        assert other.requests and not any("authorization" in headers for headers in other.headers)
