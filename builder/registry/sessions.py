"""The HTTP library, set up for registries: our TLS, large pieces, and nothing done behind our back."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from builder.oci.digest import CHUNK
from builder.registry.errors import InvalidConfiguration

if TYPE_CHECKING:
    import requests

    from builder.registry.hosts import Tls


def open_session(tls: Tls, connections: int) -> requests.Session:
    """A session for so many connections at once; the caller closes.

    Raises: InvalidConfiguration for certificates that cannot be read.
    """
    from http.cookiejar import DefaultCookiePolicy

    import urllib3

    if not tls.verify:
        # It was asked for in as many words, or it is this machine.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    session = _session_class()()
    # Nobody may recognise us from one repository to the next.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.clear()
    session.headers["User-Agent"] = "dockyard"
    # A layer is what its digest says, so nobody may pack it once more on the way.
    session.headers["Accept-Encoding"] = "identity"
    session.mount("http://", _adapter(connections, None))
    session.mount("https://", _adapter(connections, _context(tls)))
    return session


def _session_class() -> type[requests.Session]:
    import requests

    class Session(requests.Session):
        """Leaves redirects alone; even unfollowed ones would be read to their end, however far that is."""

        def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the library's signature
            return None

    return Session


def _adapter(connections: int, context: ssl.SSLContext | None) -> requests.adapters.HTTPAdapter:
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        """Sends bodies in large pieces, and uses our own TLS context."""

        def init_poolmanager(self, *arguments: int, **options: int) -> None:
            # The stubs know none of the options that urllib3 takes.
            super().init_poolmanager(*arguments, **options, blocksize=CHUNK, ssl_context=context)  # type: ignore[arg-type]

        def cert_verify(self, *_arguments: object) -> None:
            """Nothing to load for each connection: the context has it all."""

    return Adapter(pool_connections=connections, pool_maxsize=connections)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context() if tls.verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for authority in tls.authorities:
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise InvalidConfiguration(f"cannot use the authority {authority}: {error}") from error
    for certificate, key in tls.clients:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise InvalidConfiguration(f"cannot use the certificate {certificate}: {error}") from error
    return context
