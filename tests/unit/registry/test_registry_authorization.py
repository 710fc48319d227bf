"""Who we are: asked for once, shown to nobody else, and not tried for ever."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import FAST
from pictures import single

from builder.oci.reference import parse_reference
from builder.registry.errors import InvalidAnswer, Unauthorized
from builder.registry.push import push_image
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiny_registry import Handler, Misbehaviour, TinyRegistry

    from builder.oci.descriptor import Descriptor

USER = "Basic " + base64.b64encode(b"ann:secret").decode()


def log_in(environment: dict[str, str], host: str, **entry: str) -> None:
    folder = Path(environment["HOME"]) / ".docker"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))


def basic_auth(handler: Handler) -> bool:
    """Lets in who shows the right password."""
    if handler.headers.get("Authorization") == USER:
        return False
    handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="x"')
    return True


def bearer_auth(realm: str) -> Misbehaviour:
    """Lets in who shows a token for the scope that the request needs."""

    def misbehave(handler: Handler) -> bool:
        repository = urlsplit(handler.path).path.removeprefix("/v2/").partition("/blobs/")[0]
        repository = repository.partition("/manifests/")[0]
        scope = f"repository:{repository}:pull"
        shown = handler.headers.get("Authorization", "")
        if shown.startswith("Bearer token-") and scope in shown:
            return False
        challenge = f'Bearer realm="{realm}",service="tiny",scope="{scope}"'
        handler.read_body()
        handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate=challenge)
        return True

    return misbehave


def token_server(handler: Handler) -> bool:
    """Gives a token that says what it is for."""
    url = urlsplit(handler.path)
    if url.path != "/token":
        return False
    asked = parse_qs(url.query if handler.command == "GET" else handler.read_body().decode())
    handler.reply(200, json.dumps({"token": f"token-{' '.join(asked['scope'])}"}).encode())
    return True


@pytest.fixture
def image(tiny: TinyRegistry) -> Descriptor:
    picture = single()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)
    return picture.root


@pytest.fixture
def fresh(environment: dict[str, str]) -> Iterator[Registries]:
    with Registries(environment, limits=FAST) as opened:
        yield opened


def read(registries: Registries, tiny: TinyRegistry, image: Descriptor) -> bytes:
    return RegistryReader(registries.repository(parse_reference(f"{tiny.host}/a/b"))).read(image)


def test_a_password_is_shown_only_when_it_is_asked_for(
    tiny: TinyRegistry, fresh: Registries, environment: dict[str, str], image: Descriptor
) -> None:
    log_in(environment, tiny.host, auth=base64.b64encode(b"ann:secret").decode())
    tiny.misbehave = [basic_auth]

    read(fresh, tiny, image)
    assert [each.get("authorization") for each in tiny.headers] == [None, USER]


def test_what_a_host_wants_is_remembered_for_the_next_request(
    tiny: TinyRegistry, fresh: Registries, environment: dict[str, str], image: Descriptor
) -> None:
    log_in(environment, tiny.host, username="ann", password="secret")
    tiny.misbehave = [basic_auth]
    for _ in range(2):
        read(fresh, tiny, image)

    assert [each.get("authorization") for each in tiny.headers] == [None, USER, USER]


def test_without_credentials_the_error_says_how_to_log_in(
    tiny: TinyRegistry, fresh: Registries, image: Descriptor
) -> None:
    tiny.misbehave = [basic_auth]

    with pytest.raises(Unauthorized, match="no basic auth credentials") as caught:
        read(fresh, tiny, image)
    assert f"docker login {tiny.host}" in str(caught.value)


def test_a_registry_that_never_has_enough_is_asked_twice(
    tiny: TinyRegistry, fresh: Registries, environment: dict[str, str], image: Descriptor
) -> None:
    log_in(environment, tiny.host, username="ann", password="wrong")
    tiny.misbehave = [basic_auth]

    with pytest.raises(Unauthorized, match="UNAUTHORIZED"):
        read(fresh, tiny, image)
    assert len(tiny.requests) == 2


def test_an_error_shows_no_part_of_the_password(
    tiny: TinyRegistry, fresh: Registries, environment: dict[str, str], image: Descriptor
) -> None:
    log_in(environment, tiny.host, username="ann", password="hunter2-canary")
    tiny.misbehave = [basic_auth]

    with pytest.raises(Unauthorized) as caught:
        read(fresh, tiny, image)
    assert "hunter2" not in f"{caught.value!s} {caught.value!r} {fresh.__dict__!r}"


def test_a_token_is_fetched_with_the_password_and_used_again(
    tiny: TinyRegistry,
    another: TinyRegistry,
    fresh: Registries,
    environment: dict[str, str],
    image: Descriptor,
) -> None:
    log_in(environment, tiny.host, username="ann", password="secret")
    another.misbehave = [token_server]
    tiny.misbehave = [bearer_auth(f"{another.base}/token")]
    for _ in range(2):
        read(fresh, tiny, image)

    assert len(another.requests) == 1
    assert parse_qs(urlsplit(another.requests[0][1]).query) == {
        "service": ["tiny"], "scope": ["repository:a/b:pull"],
    }  # fmt: skip
    assert another.headers[0]["authorization"] == USER
    assert USER not in [each.get("authorization") for each in tiny.headers]


def test_without_credentials_an_anonymous_token_is_fetched(
    tiny: TinyRegistry, another: TinyRegistry, fresh: Registries, image: Descriptor
) -> None:
    another.misbehave = [token_server]
    tiny.misbehave = [bearer_auth(f"{another.base}/token")]

    read(fresh, tiny, image)
    assert "authorization" not in another.headers[0]


def test_an_identity_token_is_exchanged_in_the_body(
    tiny: TinyRegistry,
    another: TinyRegistry,
    fresh: Registries,
    environment: dict[str, str],
    image: Descriptor,
) -> None:
    log_in(environment, tiny.host, identitytoken="identity")
    bodies: list[bytes] = []

    def exchange(handler: Handler) -> bool:
        bodies.append(handler.read_body())
        handler.reply(200, b'{"access_token": "token-repository:a/b:pull", "expires_in": 300}')
        return True

    another.misbehave = [exchange]
    tiny.misbehave = [bearer_auth(f"{another.base}/token")]

    read(fresh, tiny, image)

    assert parse_qs(bodies[0].decode())["refresh_token"] == ["identity"]
    assert "identity" not in another.requests[0][1]


def test_a_push_asks_for_both_rights_and_a_mount_for_the_lenders(
    tiny: TinyRegistry, another: TinyRegistry, fresh: Registries, image: Descriptor
) -> None:
    another.misbehave = [token_server]
    tiny.misbehave = [bearer_auth(f"{another.base}/token")]
    target = fresh.repository(parse_reference(f"{tiny.host}/c/d"))
    source = RegistryReader(fresh.repository(parse_reference(f"{tiny.host}/a/b")))

    pushed = push_image(target, source, image, tags=("1",), mounts=lambda _blob: ("a/b",))

    scopes = {tuple(parse_qs(urlsplit(path).query)["scope"]) for _, path in another.requests}
    assert ("repository:a/b:pull", "repository:c/d:pull,push") in scopes
    assert len(pushed.mounted) == 2


def test_a_token_that_is_refused_is_replaced_once(
    tiny: TinyRegistry, another: TinyRegistry, fresh: Registries, image: Descriptor
) -> None:
    another.misbehave = [token_server]
    tiny.misbehave = [bearer_auth(f"{another.base}/token")]
    read(fresh, tiny, image)
    refusals = iter([True, False])

    def forget_once(handler: Handler) -> bool:
        if next(refusals, False):
            handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{another.base}/token"')
            return True
        return False

    tiny.misbehave = [forget_once, bearer_auth(f"{another.base}/token")]

    read(fresh, tiny, image)
    assert len(another.requests) == 2


def test_a_loop_of_tokens_that_are_not_good_enough_ends(
    tiny: TinyRegistry, another: TinyRegistry, fresh: Registries, image: Descriptor
) -> None:
    another.misbehave = [token_server]

    def never(handler: Handler) -> bool:
        handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{another.base}/token"')
        return True

    tiny.misbehave = [never]

    with pytest.raises(Unauthorized):
        read(fresh, tiny, image)
    assert len(tiny.requests) == 2


@pytest.mark.parametrize(
    "realm", ["", "file:///etc/passwd", "not an address", "http://", "http://[::1", "javascript:alert(1)"]
)
def test_a_place_for_tokens_that_is_no_address_is_refused(
    tiny: TinyRegistry, fresh: Registries, image: Descriptor, realm: str
) -> None:
    tiny.misbehave = [bearer_auth(realm)]

    with pytest.raises((InvalidAnswer, Unauthorized)):
        read(fresh, tiny, image)


@pytest.mark.parametrize("body", [b"{}", b"no json", b'{"token": "a\\r\\nX-Evil: 1"}', b"[" * 5000])
def test_an_answer_without_a_usable_token_is_an_error(
    tiny: TinyRegistry, another: TinyRegistry, fresh: Registries, image: Descriptor, body: bytes
) -> None:
    def answer(handler: Handler) -> bool:
        handler.reply(200, body)
        return True

    another.misbehave = [answer]
    tiny.misbehave = [bearer_auth(f"{another.base}/token")]

    with pytest.raises(InvalidAnswer, match="token"):
        read(fresh, tiny, image)


def test_a_scheme_that_we_do_not_speak_is_named(
    tiny: TinyRegistry, fresh: Registries, image: Descriptor
) -> None:
    def negotiate(handler: Handler) -> bool:
        handler.refuse(401, "UNAUTHORIZED", WWW_Authenticate="Negotiate")
        return True

    tiny.misbehave = [negotiate]

    with pytest.raises(Unauthorized, match="the server offers negotiate"):
        read(fresh, tiny, image)


def test_credentials_do_not_follow_a_redirect_to_another_host(
    tiny: TinyRegistry,
    another: TinyRegistry,
    fresh: Registries,
    environment: dict[str, str],
    image: Descriptor,
) -> None:
    log_in(environment, tiny.host, username="ann", password="secret")
    another.manifests = dict(tiny.manifests)

    def elsewhere(handler: Handler) -> bool:
        if basic_auth(handler):
            return True
        handler.reply(307, Location=f"{another.base}{handler.path}")
        return True

    tiny.misbehave = [elsewhere]

    read(fresh, tiny, image)
    assert "authorization" not in another.headers[0]


def test_another_host_that_asks_for_credentials_gets_none(
    tiny: TinyRegistry,
    another: TinyRegistry,
    fresh: Registries,
    environment: dict[str, str],
    image: Descriptor,
) -> None:
    log_in(environment, tiny.host, username="ann", password="secret")

    def elsewhere(handler: Handler) -> bool:
        handler.reply(307, Location=f"{another.base}{handler.path}")
        return True

    tiny.misbehave, another.misbehave = [elsewhere], [basic_auth]

    with pytest.raises(Unauthorized):
        read(fresh, tiny, image)
    assert [each.get("authorization") for each in another.headers] == [None]
