"""What a vertex can do: one frozen type for each kind of BuildKit's low-level build definition.

An operation holds parameters only; what it works on are the inputs of its vertex, in order. Two operations
with equal values are the same work, so nothing that does not change the result may stand here: names for
people, places in the Dockerfile and the wish to ignore the cache live in `Description`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from builder.graph.mounts import Mount
from builder.oci.digest import Digest
from builder.platforms import Platform

Network: TypeAlias = Literal["default", "none", "host"]
Security: TypeAlias = Literal["sandbox", "insecure"]


class Image(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """The file system of an image (LLB source `docker-image://`). No inputs.

    `reference` is for people and for finding the content; `digest` is the manifest that was resolved, and
    `diff_ids` its layers, lowest first: they, not the name, are what the result is.
    """

    reference: str
    digest: Digest
    diff_ids: tuple[Digest, ...]
    platform: Platform


class Local(msgspec.Struct, frozen=True, kw_only=True, tag="local"):
    """A directory of the caller (LLB source `local://`). No inputs.

    `exclude` are ignore patterns in file order, as `.dockerignore` reads them; owners count as 0:0.
    """

    name: str
    exclude: tuple[str, ...] = ()


class Http(msgspec.Struct, frozen=True, kw_only=True, tag="http"):
    """A file from the network, the only one at its root, called `filename`, of root, 0600 (LLB source). No inputs.

    `checksum` None: whatever the server has now.
    """

    url: str
    filename: str
    checksum: Digest | None = None


class Git(msgspec.Struct, frozen=True, kw_only=True, tag="git"):
    """A checkout of the git repository at `remote` (LLB source `git://`). No inputs.

    `ref` is a branch, a tag, a full ref or a commit; empty: what the repository says. `subdirectory` is
    relative, empty for all. `checksum` is the beginning of the commit that is expected, in hex. `mtime`: what
    the files' times are, that of the checkout or that of the commit.
    """

    remote: str
    ref: str = ""
    subdirectory: str = ""
    checksum: str = ""
    keep_git_dir: bool = False
    submodules: bool = True
    mtime: Literal["checkout", "commit"] = "checkout"


class Owner(msgspec.Struct, frozen=True):
    """User and group by number, or by a name of the destination's `/etc/passwd` and `/etc/group`.

    `group` None: the primary group of a named user, else the number of `user`.
    """

    user: int | str
    group: int | str | None = None


class Copy(msgspec.Struct, frozen=True, kw_only=True, tag="copy"):
    """Copies what `sources` select in an input into the destination.

    `input` is the position among the vertex's inputs of the file system that is copied from; None: empty.
    `sources` are absolute cleaned paths and may hold wildcards; `destination` is absolute, and a trailing
    slash says that it is a directory. `mode`: None keeps the source's, an int sets it exactly, text is a
    symbolic chmod. `owner` None keeps the source's. `unpack`: a source that is an archive is extracted.
    `parents`: each source has a `/./`; what is behind it, a pattern that may hold `**`, is made again below the
    destination with its directories. `exclude` are ignore patterns, relative to a directory that is copied.
    """

    input: int | None
    sources: tuple[str, ...]
    destination: str
    mode: int | str | None = None
    owner: Owner | None = None
    unpack: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


class MakeDirectory(msgspec.Struct, frozen=True, kw_only=True, tag="mkdir"):
    """Makes `path` and the parents that are missing; directories that exist are not touched.

    `mtime`: seconds since the epoch for what is made; None: the time of the step.
    """

    path: str
    mode: int = 0o755
    owner: Owner | None = None
    mtime: int | None = None


class MakeFile(msgspec.Struct, frozen=True, kw_only=True, tag="mkfile"):
    """Makes a file that holds `content`, as if it had been copied from somewhere.

    `destination` is absolute, and a trailing slash says that it is a directory: then, or where a directory
    stands, the file is called `name`. `mode` as that of `Copy`; None: 0644. `owner` None: root. `mtime`:
    seconds since the epoch; None: the time of the step.
    """

    name: str
    content: str
    destination: str
    mode: int | str | None = None
    owner: Owner | None = None
    mtime: int | None = None


class File(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """File actions, one after the other, on top of input `base` (None: on an empty file system)."""

    base: int | None
    actions: tuple[Copy | MakeDirectory | MakeFile, ...]


class SecretMount(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that a command may read. Its value is never part of the graph, nor of a cache key.

    `id` names it among the secrets of the caller. It is a file at `target` (absolute; empty: no file) with
    `mode`, `uid` and `gid`, and the value of the variable `env` (empty: none). One that the caller does not
    have is no file and an empty variable, or, if it is `required`, an error.
    """

    id: str
    target: str = ""
    env: str = ""
    mode: int = 0o400
    uid: int = 0
    gid: int = 0
    required: bool = False


class ScriptMount(msgspec.Struct, frozen=True, kw_only=True):
    """A program that a command finds at `target` (absolute), read-only, and that leaves no trace in the layer."""

    target: str
    content: str


class Exec(msgspec.Struct, frozen=True, kw_only=True, tag="exec"):
    """Runs `args` in a container whose root is input `base` (None: an empty file system).

    `env` in order; `cwd` absolute; `user` as the Dockerfile spells it, looked up in the image.
    `extra_hosts` are (name, address) pairs for /etc/hosts; `ulimits` (name, soft, hard).
    """

    base: int | None
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    user: str = ""
    network: Network = "default"
    security: Security = "sandbox"
    platform: Platform
    hostname: str = ""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[tuple[str, int, int], ...] = ()
    cgroup_parent: str = ""
    proxy_env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[SecretMount, ...] = ()
    scripts: tuple[ScriptMount, ...] = ()
    mounts: tuple[Mount, ...] = ()


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """The layers of all inputs stacked, the first lowest."""


Operation: TypeAlias = Image | Local | Http | Git | Exec | File | Merge
