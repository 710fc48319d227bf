"""Who may do what: passwords, tokens and certificates at the real registry; mirrors before it."""

from __future__ import annotations

import stat
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import FAST, log_in
from peers import HTPASSWD, PASSWORD, USER, Served, make_certificates, serve_docker_registry, serve_tokens

from builder.api.pulling import pull_image
from builder.api.pushing import push_target
from builder.oci.reference import Reference, parse_reference
from builder.registry.errors import Denied, Refusal, Unauthorized, Unreachable
from builder.registry.probe import require_push
from builder.registry.registries import Registries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers import TokenServer

    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    """A registry that wants a password."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "tests", "path": str(tmp_path / "htpasswd")}}
    with serve_docker_registry(tmp_path / "guarded", auth=auth) as served:
        yield served


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with serve_tokens(tmp_path / "tokens") as served:
        yield served


@pytest.fixture
def token_guarded(tmp_path: Path, tokens: TokenServer) -> Iterator[Served]:
    """A registry that wants tokens."""
    with serve_docker_registry(tmp_path / "guarded", auth=tokens.auth) as served:
        yield served


def named(served: Served, path: str = "a/b:1") -> Reference:
    return parse_reference(f"{served.host}/{path}")


def configure(environment: dict[str, str], served: Served, text: str) -> None:
    folder = Path(environment["DOCKYARD_HOSTS_DIR"]) / served.host
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(text)


def test_a_password_of_the_docker_configuration_opens_the_registry(
    guarded: Served,
    store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
    environment: dict[str, str],
) -> None:
    log_in(environment, guarded.host, USER, PASSWORD)

    assert len(push_target(store, registries, image, named(guarded)).sent) == 3
    assert pull_image(store, registries, named(guarded), platforms=None).target.digest == image.digest


def test_a_password_of_a_helper_opens_the_registry(
    guarded: Served,
    store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    helper = tmp_path / "docker-credential-safe"
    helper.write_text(f'#!/bin/sh\necho \'{{"Username":"{USER}","Secret":"{PASSWORD}"}}\'\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    Path(environment["DOCKER_CONFIG"]).mkdir()
    (Path(environment["DOCKER_CONFIG"]) / "config.json").write_text('{"credsStore": "safe"}')

    assert len(push_target(store, registries, image, named(guarded)).sent) == 3


def test_without_a_password_the_registry_stays_closed(
    guarded: Served, store: EmbeddedStore, registries: Registries, image: Descriptor
) -> None:
    with pytest.raises(Unauthorized, match="UNAUTHORIZED") as caught:
        push_target(store, registries, image, named(guarded))
    assert f"docker login {guarded.host}" in str(caught.value)


def test_a_wrong_password_is_found_out_before_the_build(
    guarded: Served, registries: Registries, environment: dict[str, str]
) -> None:
    log_in(environment, guarded.host, USER, "wrong")

    with pytest.raises(Unauthorized, match=f"cannot push to {guarded.host}/a/b"):
        require_push(registries.repository(named(guarded)))


def test_tokens_for_a_user_open_the_registry_for_pushes(
    token_guarded: Served,
    tokens: TokenServer,
    store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
    environment: dict[str, str],
) -> None:
    log_in(environment, token_guarded.host, USER, PASSWORD)

    push_target(store, registries, image, named(token_guarded, "base:1"))
    pushed = push_target(store, registries, image, named(token_guarded, "app:1"))

    assert len(pushed.mounted) == 3
    assert ["repository:app:pull,push", "repository:base:pull"] in tokens.asked


def test_a_token_for_nobody_opens_the_registry_for_pulls_only(
    token_guarded: Served, store: EmbeddedStore, registries: Registries, image: Descriptor
) -> None:
    with pytest.raises((Unauthorized, Denied)):
        push_target(store, registries, image, named(token_guarded))
    with pytest.raises(Refusal, match="not found"):
        pull_image(store, registries, named(token_guarded), platforms=None)


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Served]:
    """A registry that speaks TLS, and wants to know its clients by their certificates."""
    made = make_certificates(tmp_path / "certificates")
    tls = {
        "certificate": str(made.server[0]),
        "key": str(made.server[1]),
        "clientcas": [str(made.authority)],
    }
    with serve_docker_registry(tmp_path / "protected", http={"tls": tls}) as served:
        yield served


def test_certificates_of_the_configuration_open_the_registry(
    protected: Served,
    store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "certificates"
    configure(
        environment,
        protected,
        f'ca = "{folder}/authority.crt"\nclient = [["{folder}/client.crt", "{folder}/client.key"]]\n',
    )

    assert len(push_target(store, registries, image, named(protected)).sent) == 3


def test_an_authority_that_nobody_trusts_is_refused(
    protected: Served, store: EmbeddedStore, registries: Registries, environment: dict[str, str]
) -> None:
    configure(environment, protected, f'server = "https://{protected.host}"\n')

    with pytest.raises(Unreachable, match=r"self-signed certificate|local issuer") as caught:
        pull_image(store, registries, named(protected), platforms=None)
    assert "hosts.toml" in str(caught.value)


def test_a_registry_without_tls_is_refused_where_tls_was_promised(
    plain: Served, store: EmbeddedStore, registries: Registries, environment: dict[str, str]
) -> None:
    configure(environment, plain, f'server = "https://{plain.host}"\n')

    with pytest.raises(Unreachable):
        pull_image(store, registries, named(plain), platforms=None)


@pytest.fixture
def mirror(tmp_path: Path, plain: Served) -> Iterator[Served]:
    """A pull-through cache of `plain`."""
    proxy = {"remoteurl": f"http://{plain.host}"}
    with serve_docker_registry(tmp_path / "mirror", proxy=proxy) as served:
        yield served


def _wait_until_cached(mirror: Served, store: EmbeddedStore) -> None:
    """A mirror answers first and keeps what passed through it afterwards."""
    wanted = {blob.digest.hex for blob in store.content.walk()}
    deadline = time.monotonic() + 20
    while not wanted <= {link.parent.name for link in mirror.storage.rglob("link")}:
        assert time.monotonic() < deadline, "the mirror keeps nothing"
        time.sleep(0.02)


def test_a_pull_through_mirror_serves_what_it_has_seen_without_the_registry(
    plain: Served,
    mirror: Served,
    store: EmbeddedStore,
    image: Descriptor,
    environment: dict[str, str],
    other_store: EmbeddedStore,
    tmp_path: Path,
) -> None:
    configure(environment, plain, _mirrored(plain, mirror))
    with ExitStack() as stack:
        registries = stack.enter_context(Registries(environment, limits=FAST))
        push_target(store, registries, image, named(plain))
        pull_image(other_store, registries, named(plain), platforms=None)
        _wait_until_cached(mirror, other_store)
        plain.process.kill()
        plain.process.wait()

        third = stack.enter_context(_empty_store(tmp_path / "third root"))
        pull_image(third, registries, named(plain, f"a/b@{image.digest}"), platforms=None)
        assert third.content.find(image.digest) is not None


def test_a_mirror_that_is_gone_is_no_reason_to_fail(
    plain: Served,
    mirror: Served,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
    environment: dict[str, str],
) -> None:
    configure(environment, plain, _mirrored(plain, mirror))
    push_target(store, registries, image, named(plain))
    mirror.process.kill()
    mirror.process.wait()

    assert pull_image(other_store, registries, named(plain), platforms=None).changed


def test_a_mirror_is_no_place_to_push_to_and_says_so_before_the_build(
    mirror: Served, registries: Registries
) -> None:
    with pytest.raises(Refusal, match="UNSUPPORTED") as caught:
        require_push(registries.repository(named(mirror)))
    assert "mirror" in str(caught.value)


def _mirrored(origin: Served, mirror: Served) -> str:
    return (
        f'server = "http://{origin.host}"\n'
        f'[host."http://{mirror.host}"]\ncapabilities = ["pull", "resolve"]\n'
    )


def _empty_store(root: Path) -> EmbeddedStore:
    from builder.store.selection import open_store

    return open_store(root)
