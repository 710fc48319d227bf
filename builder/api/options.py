"""What a build is asked for and what it answers: the typed form of the command's flags and of its results.

Everything is said here before work starts; nothing below this floor reads a flag, an environment variable or
the working directory. Plain frozen values, so that options can be kept, compared and varied.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

import msgspec

from builder.cache.mounts import Scope
from builder.cache.remote.places import CacheExport, ImportPlace
from builder.graph.definition import Target
from builder.graph.operations import Network
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.platforms import Platform
from builder.snapshot.limits import DEFAULT_LIMITS, UnpackLimits
from builder.solver.results import PlatformFailure
from builder.source.vcs import VcsOptions
from builder.store.containerd.address import Address
from exporter.attest.options import Mode, ProvenanceOptions, SbomOptions
from exporter.outputs import Output

if TYPE_CHECKING:
    # Most builds have none of them, and nobody decodes options, which would ask what they are.
    from exporter.attest.policy.policy import Policy  # noqa: TC004
    from exporter.attest.signing.options import SigningOptions  # noqa: TC004

Secret: TypeAlias = bytes | Callable[[], bytes]
"""A secret, or what fetches it when a step needs it."""


OnError: TypeAlias = Literal["stop", "continue"]
Partial: TypeAlias = Literal["refuse", "allow"]


class BuildOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One build, of a Dockerfile or of a graph.

    Dockerfile: `context` is a directory, a tar file, a URL or the address of a git repository, None an empty
    context; `context_stream` is read as a tar file instead. `dockerfile` is the path of the file (in the context,
    unless that is a directory) or a URL, None for `Dockerfile` in the context; `dockerfile_text` takes the place
    of the file.
    Graph: `definition` has one target for each platform, and `context`, if given, is its local `context`.

    `platforms` as people write them; none: this machine's. `build_contexts` maps names to what
    `--build-context` takes. `annotations` maps keys, with their optional level in front
    (`index:org.example.key`), to values. `outputs` empty: an image in the store, under `tags`.
    `agents` maps ids to sockets of SSH agents. `no_cache_filter` are names of stages. `cache_from`
    and `cache_to` are caches elsewhere. `extra_hosts` are (name, address), `ulimits` (name, soft, hard), `shm_size`
    is in bytes and 0 is the default. `driver` and `root` None: the selected and the default one. `jobs`: how many
    steps run at once at most; None: what the machine's cores allow. `containerd` is a daemon that goes before the
    selected store. `provenance` and `sbom` None: no such attestation; `metadata_provenance`: the result describes
    how it was made, in so much detail; `vcs`: what is asked of the repository around the context for both.
    `signing`: what goes to an image store, a registry or an OCI archive is signed.

    `mount_scope`: which cache mounts platforms share; a build that is not `trusted` reads cache mounts, and what it
    writes to them is lost. `max_disk`: bytes that the state root may take; None: what its configuration says.

    `on_error`: whether the first failure stops the build, or only the platforms that need what failed.
    `partial`: whether the platforms that were built are delivered without the others (only with "continue").
    `policies` must allow all that the build starts from, before its first step.
    """

    context: str | None = None
    context_stream: BinaryIO | None = None
    dockerfile: str | None = None
    dockerfile_text: bytes | None = None
    definition: tuple[Target, ...] | None = None
    build_contexts: dict[str, str] = {}

    platforms: tuple[str, ...] = ()
    target: str = ""
    build_args: dict[str, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    agents: dict[str, Path] = {}

    tags: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    driver: str | None = None
    root: Path | None = None
    containerd: Address | None = None

    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    cache_from: tuple[ImportPlace, ...] = ()
    cache_to: tuple[CacheExport, ...] = ()
    jobs: int | None = None
    on_error: OnError = "stop"
    partial: Partial = "refuse"
    mount_scope: Scope = "id"
    trusted: bool = True
    max_disk: int | None = None
    unpack_limits: UnpackLimits = DEFAULT_LIMITS

    network: Network = "default"
    allow: frozenset[str] = frozenset()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[tuple[str, int, int], ...] = ()
    cgroup_parent: str = ""
    signing: SigningOptions | None = None

    provenance: ProvenanceOptions | None = None
    sbom: SbomOptions | None = None
    metadata_provenance: Mode | None = None
    vcs: VcsOptions = VcsOptions()
    policies: tuple[Policy, ...] = ()


class PlatformResult(msgspec.Struct, frozen=True, kw_only=True):
    """The image of one platform."""

    platform: Platform
    manifest: Descriptor
    config: Descriptor


class BuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a build made.

    `digest` and `descriptor` are the root's: an index for several platforms, else a manifest; None when no
    output is an image. `names` are the full names that the image got, in the store or wherever it went.
    `image_id` is what stores that keep single platforms call it, if it went to one; None: the root's digest.
    `cached` and `executed` count steps, `seconds` is wall time, `number` is that of the build in the history.
    `provenance` has, if it was asked for, a SLSA predicate (v0.2) for each platform; `pins`, if there were
    policies, the digests of what names of images stood for.
    """

    digest: Digest | None = None
    descriptor: Descriptor | None = None
    image_id: Digest | None = None
    platforms: tuple[PlatformResult, ...] = ()
    names: tuple[str, ...] = ()
    cached: int = 0
    executed: int = 0
    seconds: float = 0.0
    number: int = 0
    provenance: dict[str, msgspec.Raw] = {}
    pins: dict[str, str] = {}
    failures: tuple[PlatformFailure, ...] = ()
