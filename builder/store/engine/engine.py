"""A Docker Engine, through the `docker` package: what it can hold, and images into it.

With the containerd image store an engine keeps an image as it is: index, attestations and all. With the classic
one it keeps one platform of it, unpacked. Which of the two it has is its answer to a question, never a guess
from its version.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from builder.oci.digest import CHUNK
from builder.store.engine.errors import EngineError
from builder.store.engine.places import engine_address, unreachable
from builder.store.protocol import Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    from docker import APIClient
    from requests import Response

    from builder.oci.digest import Digest
    from builder.oci.reference import Reference

_NAME: Final = "docker"
_DRIVER_TYPE: Final = ["driver-type", "io.containerd.snapshotter.v1"]
_PATIENCE: Final = 600
"""Seconds without a word from the engine, which unpacks large layers before it answers."""


class Engine:
    """An engine that answers. Close it, or use it in a `with` block."""

    def __init__(self, address: str, client: APIClient) -> None:
        """Takes `client` over. Raises: EngineError."""
        self.address = address
        self.client = client
        """For the rooms beside this one, inside of `errors`."""
        with self.errors("docker info"):
            status = client.info().get("DriverStatus") or []
        whole = _DRIVER_TYPE in status
        self.capabilities = Capabilities(name=_NAME, multi_platform=whole, attestations=whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    @property
    def has_containerd_store(self) -> bool:
        """Whether images are kept as they are, with all of their platforms."""
        return self.capabilities.multi_platform

    def inventory(self) -> tuple[tuple[str, ...], int]:
        """The names of its images, sorted, and the bytes that all of them take. Raises: EngineError."""
        with self.errors("docker images"):
            images = self.client.images()
            size = int(self.client.df().get("LayersSize") or 0)
        return tuple(sorted(name for image in images for name in image.get("RepoTags") or ())), size

    def tag(self, image: Digest, names: Iterable[Reference]) -> bool:
        """Gives `names` to the image that the engine calls `image`; False when it has none of that ID.

        Raises: EngineError.
        """
        from docker.errors import ImageNotFound

        with self.errors("docker tag"):
            try:
                self.client.inspect_image(image)
            except ImageNotFound:
                return False
            for name in names:
                self.client.tag(image, name.repository, name.tag)
        return True

    def load(self, write: Callable[[int], None]) -> None:
        """Loads the archive that `write` writes to a descriptor.

        An OCI layout will do for the containerd image store; the classic one wants what `docker save` writes.
        Raises: EngineError, and what `write` raises.
        """
        with _piped(write) as chunks, self.errors("docker load"):
            _require_loaded(self.client.load_image(chunks))

    def get(self, path: str, query: Mapping[str, object], *, stream: bool = False) -> Response:
        """What the engine answers to a question that its client has no words for; the caller closes.

        Raises: DockerException, RequestException: to be called inside of `errors`.
        """
        from docker.errors import create_api_error_from_http_exception
        from requests.exceptions import HTTPError

        url = f"{self.client.base_url}/v{self.client.api_version}{path}"
        answer: Response = self.client.get(url, params=query, stream=stream, timeout=_PATIENCE)
        try:
            answer.raise_for_status()
        except HTTPError as error:
            with answer:
                create_api_error_from_http_exception(error)
        return answer

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """What goes wrong in the block while doing `what` is an EngineError."""
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        try:
            yield
        except APIError as error:
            # The rest of it is the client's own address of the request.
            said = error.explanation or error
            raise EngineError(f"{what} failed at {self.address}: {said}") from error
        except (DockerException, RequestException, OSError) as error:
            raise EngineError(f"{what} failed at {self.address}: {error}") from error


def find_engine(environ: Mapping[str, str]) -> Engine | None:
    """The engine of this environment (DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH); the caller closes it.

    None: there is none, and DOCKER_HOST asks for none. Raises: EngineNotFound, EngineError.
    """
    address = engine_address(environ)
    return None if address is None else _connect(address, environ)


def _connect(address: str, environ: Mapping[str, str]) -> Engine:
    # Loaded here: it takes longer than a build whose steps are all cached.
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        arguments = kwargs_from_env({**environ, "DOCKER_HOST": address})
        client = APIClient(version="auto", timeout=_PATIENCE, **arguments)
    except DockerException as error:
        raise unreachable(address) from error
    try:
        return Engine(address, client)
    except BaseException:
        client.close()
        raise


def _require_loaded(answers: Iterable[Mapping[str, object]]) -> None:
    """Reads what the engine says about an archive to its end. Raises: EngineError."""
    for answer in answers:
        refusal = answer.get("error") or answer.get("message")
        if refusal:
            raise EngineError(f"the Docker Engine does not take the image: {refusal}")


@contextmanager
def _piped(write: Callable[[int], None]) -> Iterator[Iterator[bytes]]:
    """What `write` writes to a descriptor, as chunks; an error of `write` comes out of them at their end."""
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            write(writing)
        except BrokenPipeError:
            # Whoever stopped reading knows why.
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that reads
            failures.append(error)
        finally:
            os.close(writing)

    def chunks() -> Iterator[bytes]:
        while chunk := os.read(reading, CHUNK):
            yield chunk
        thread.join()
        # Not to end here would tell the engine that the archive is complete.
        if failures:
            raise failures[0]

    thread = threading.Thread(target=run, name="docker-load", daemon=True)
    thread.start()
    try:
        yield chunks()
    finally:
        os.close(reading)
        thread.join()
