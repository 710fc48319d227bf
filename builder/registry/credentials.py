"""Credentials as Docker keeps them: in its configuration file, or with the helpers that it names.

They are looked up when a registry asks for them, not before: a helper may open a window. Nothing here
prints or stores a secret, and no repr shows one.
Source: docker/cli's configuration file and the protocol of docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.registry.errors import InvalidConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

_HUB_KEY: Final = "https://index.docker.io/v1/"
_HUB_NAMES: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_MAX_FILE: Final = 8 << 20
_HELPER_SECONDS: Final = 120
_HELPER: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_NOT_FOUND: Final = "credentials not found"
_IDENTITY: Final = "<token>"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: user and password, or a token that stands for both."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r})"


class _Entry(msgspec.Struct, frozen=True):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _Config(msgspec.Struct, frozen=True):
    auths: dict[str, _Entry] = {}
    creds_store: str = msgspec.field(name="credsStore", default="")
    cred_helpers: dict[str, str] = msgspec.field(name="credHelpers", default={})


class _Answer(msgspec.Struct, frozen=True):
    username: str = msgspec.field(name="Username", default="")
    secret: str = msgspec.field(name="Secret", default="")


class CredentialStore:
    """The credentials of one user."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Reads `DOCKER_CONFIG`, `DOCKER_AUTH_CONFIG` and `HOME` of `environment`; helpers get all of it."""
        self._environment = environment

    def find(self, server: str) -> Credentials | None:
        """The credentials for a server, named by host and port; None when there are none.

        Raises: InvalidConfiguration.
        """
        key = _HUB_KEY if server in _HUB_NAMES else server
        if text := self._environment.get("DOCKER_AUTH_CONFIG"):
            found = _from_entries(_parse(text.encode(), "DOCKER_AUTH_CONFIG").auths, key)
            if found is not None:
                return found
        path = self._path()
        try:
            with path.open("rb") as stream:
                config = _parse(stream.read(_MAX_FILE), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidConfiguration(f"cannot read {path}: {error.strerror}") from error
        helper = config.cred_helpers.get(key, config.creds_store)
        found = self._ask(helper, key) if helper else None
        return found or _from_entries(config.auths, key)

    def _path(self) -> Path:
        folder = self._environment.get("DOCKER_CONFIG")
        base = Path(folder) if folder else Path(self._environment.get("HOME", "/")) / ".docker"
        return base / "config.json"

    def _ask(self, helper: str, key: str) -> Credentials | None:
        """What the program `docker-credential-HELPER` knows."""
        import subprocess

        if not _HELPER.fullmatch(helper):
            raise InvalidConfiguration(
                f"{self._path()}: {helper!r} cannot be the name of a credential helper"
            )
        program = f"docker-credential-{helper}"
        try:
            done = subprocess.run(
                [program, "get"],
                input=key.encode(),
                capture_output=True,
                env=dict(self._environment),
                timeout=_HELPER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InvalidConfiguration(f"cannot get credentials for {key} from {program}: {error}") from error
        if done.returncode != 0:
            said = (done.stdout or done.stderr).decode(errors="replace").strip()[:200]
            if said.lower().startswith(_NOT_FOUND):
                return None
            raise InvalidConfiguration(f"{program} gave no credentials for {key}: {said}")
        return _from_helper(done.stdout, program)


def _from_helper(output: bytes, program: str) -> Credentials | None:
    try:
        answer = msgspec.json.decode(output, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The output may hold a secret, and so may the decoder's message.
        raise InvalidConfiguration(f"{program} did not answer with credentials") from None
    if not answer.secret:
        return None
    if answer.username == _IDENTITY:
        return Credentials(identity_token=answer.secret)
    return Credentials(username=answer.username, password=answer.secret)


def _parse(content: bytes, origin: str) -> _Config:
    try:
        return msgspec.json.decode(content, type=_Config)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidConfiguration(
            f"{origin} is no configuration of Docker's: it is not the JSON it should be"
        ) from None


def _from_entries(entries: Mapping[str, _Entry], key: str) -> Credentials | None:
    """The entry for `key`, or else the first that names the same server in another spelling."""
    entry = entries.get(key)
    if entry is None:
        bare = _bare(key)
        entry = next((each for name, each in entries.items() if _bare(name) == bare), None)
    return _from_entry(entry, key) if entry is not None else None


def _bare(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _from_entry(entry: _Entry, key: str) -> Credentials | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            decoded = base64.b64decode(entry.auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidConfiguration(f"the credentials for {key} are not base64") from None
        username, colon, password = decoded.partition(":")
        if not colon or not username:
            raise InvalidConfiguration(f"the credentials for {key} are not user:password")
        password = password.strip("\0")
    found = Credentials(
        username=username,
        password=password,
        identity_token=entry.identitytoken,
        registry_token=entry.registrytoken,
    )
    return found if found != Credentials() else None
