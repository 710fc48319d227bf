"""One HTTP request, one answer: the only module that knows the HTTP library.

It follows no redirects, adds no credentials and repeats nothing; those are decisions, and they are made
above. Proxies and further authorities come from the environment, as for every program (`HTTPS_PROXY`,
`NO_PROXY`, `REQUESTS_CA_BUNDLE`); `.netrc` is not read.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, Self

from builder.registry.addresses import server
from builder.registry.errors import Interrupted, InvalidAnswer, Unreachable
from builder.registry.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    import requests

    from builder.registry.hosts import Host
    from builder.registry.limits import Limits

_DRAIN: Final = 64 << 10


class Outgoing(Protocol):
    """A body on its way out."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at the end."""
        ...


class Answer:
    """Status, headers and a body that is read in pieces. Close it, or use it in a `with` block."""

    def __init__(self, response: requests.Response, host: str) -> None:
        self._response = response
        self.host = host
        self.url = response.url

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status_code

    @property
    def reason(self) -> str:
        """The status in words."""
        return self._response.reason or ""

    def header(self, name: str) -> str:
        """The header; empty when it was not sent."""
        return self._response.headers.get(name, "")

    def read(self, size: int) -> bytes:
        """The next bytes of the body as they were sent; fewer than `size` only at its end.

        Raises: Interrupted when the body ends before it should.
        """
        from urllib3.exceptions import HTTPError

        try:
            content: bytes = self._response.raw.read(size)
        except (HTTPError, OSError) as error:
            raise Interrupted(f"the answer of {self.host} was cut off: {_reason(error)}") from error
        return content

    def close(self) -> None:
        """Gives the connection back; one with much left to read is closed instead."""
        raw = self._response.raw
        with suppress(Interrupted):
            if len(self.read(_DRAIN)) < _DRAIN:
                raw.release_conn()
                return
        raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Wire:
    """Connections to one host, and to those that it refers to. Safe to share between threads."""

    def __init__(self, host: Host, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._opened: requests.Session | None = None
        self._lock = threading.Lock()
        self._plain = False
        self._spoke_tls = False

    @property
    def base(self) -> str:
        """Where the host's paths begin."""
        return self._host.url.replace("https:", "http:", 1) if self._plain else self._host.url

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Outgoing | bytes | None = None
    ) -> Answer:
        """The answer to one request; `url` is absolute.

        Raises: Unreachable; Interrupted; InvalidAnswer for an address that cannot be one;
        InvalidConfiguration for certificates that cannot be read. What `body` raises passes through.
        """
        import requests

        if self._plain and url.startswith(self._host.url):
            url = self.base + url.removeprefix(self._host.url)
        try:
            return self._send(method, url, headers, body)
        except requests.exceptions.RequestException as error:
            if not self._may_be_plain(url, error):
                raise _explained(url, error) from error
            failure = error
        try:
            answer = self._send(method, url.replace("https:", "http:", 1), headers, body)
        except requests.exceptions.RequestException:
            # What TLS said is the better explanation.
            raise _explained(url, failure) from failure
        self._plain = True
        return answer

    def close(self) -> None:
        """Closes the connections."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _session(self) -> requests.Session:
        """Made by the first request: a build that finds all it needs in the store loads no HTTP library."""
        with self._lock:
            if self._opened is None:
                from builder.registry.sessions import open_session

                self._opened = open_session(self._host.tls, self._limits.parallel + 2)
            return self._opened

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Outgoing | bytes | None
    ) -> Answer:
        response = self._session.request(
            method,
            url,
            headers=dict(headers),
            data=body,
            auth=_no_auth,
            stream=True,
            allow_redirects=False,
            timeout=(self._host.dial_seconds, self._limits.silence),
            verify=self._host.tls.verify,
            # As in Go: no proxy is asked for this machine. Empty ones win over those of the environment.
            proxies={"http": "", "https": "", "all": ""} if is_loopback(server(url)) else None,
        )
        self._spoke_tls = self._spoke_tls or url.startswith(self._host.url)
        return Answer(response, server(url))

    def _may_be_plain(self, url: str, error: Exception) -> bool:
        import requests

        # Once TLS has worked, its failure is no reason to do without it.
        allowed = self._host.plain_fallback and not self._spoke_tls and url.startswith(self._host.url)
        return allowed and not isinstance(error, requests.exceptions.Timeout)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands where the library would otherwise look into `.netrc` and into the URL."""
    return request


def _explained(
    url: str, error: requests.exceptions.RequestException
) -> Unreachable | Interrupted | InvalidAnswer:
    import requests
    from urllib3.exceptions import MaxRetryError

    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(
            f"cannot talk to {server(url)}: {_reason(error)}",
            hint="if you trust it, name its authority in hosts.toml (`ca`), or say there that it is "
            "insecure (`skip_verify`, or an http:// address)",
        )
    if isinstance(error, ValueError):
        return InvalidAnswer(f"{url[:200]!r} is no address to ask")
    never_connected = error.args and isinstance(error.args[0], MaxRetryError)
    if never_connected or isinstance(error, requests.exceptions.ConnectTimeout):
        return Unreachable(f"cannot reach {server(url)}: {_reason(error)}")
    if isinstance(error, requests.exceptions.Timeout):
        return Interrupted(f"{server(url)} did not answer in time")
    return Interrupted(f"the connection to {server(url)} was cut: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """The words of the system or of the TLS library, which lie below several errors of others."""
    deepest: BaseException = error
    for _ in range(10):
        inner = getattr(deepest, "reason", None)
        below = inner if isinstance(inner, BaseException) else deepest.__cause__ or deepest.__context__
        below = below or next((each for each in deepest.args if isinstance(each, BaseException)), None)
        if below is None:
            break
        deepest = below
    if message := getattr(deepest, "verify_message", ""):
        return str(message)
    if isinstance(deepest, OSError) and deepest.strerror:
        return deepest.strerror
    return str(deepest) or type(deepest).__name__
