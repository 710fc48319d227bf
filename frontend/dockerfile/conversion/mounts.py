"""`RUN --mount`: what a command sees beside the file system of its stage, and where that comes from."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from builder.graph import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount
from builder.system.quoting import quote
from builder.system.values import Value
from frontend.dockerfile.conversion.images import build_context, outside_vertex
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.mounts import InvalidMount, Mount, read_mount
from frontend.dockerfile.paths import clean, join, rooted
from frontend.dockerfile.planning import mounted_stage

if TYPE_CHECKING:
    from builder.graph import Mount as GraphMount
    from builder.graph import Vertex
    from frontend.dockerfile.conversion.stage import StageConversion
    from frontend.dockerfile.tree import Run

_SECRETS: Final = "/run/secrets/"
_AGENTS: Final = "/run/buildkit/ssh_agent."
_NAMESPACE: Final = "BUILDKIT_CACHE_MOUNT_NS"
_CACHE_MODE: Final = 0o755
_SECRET_MODE: Final = 0o400
_AGENT_MODE: Final = 0o600


class Mounts(Value, frozen=True):
    """The mounts of one command; `inputs` are vertices that they show, and stand behind `first` others."""

    inputs: list[Vertex]
    mounts: list[GraphMount]
    secrets: list[SecretMount]
    first: int

    def add_input(self, vertex: Vertex | None) -> int | None:
        """The position that `vertex` gets among the inputs of the command."""
        if vertex is None:
            return None
        self.inputs.append(vertex)
        return self.first + len(self.inputs) - 1

    @property
    def agent(self) -> str:
        """Where the first SSH agent answers; empty without one."""
        return next((each.target for each in self.mounts if isinstance(each, SshMount)), "")


def convert_mounts(stage: StageConversion, node: Run) -> Mounts:
    """What the `--mount` flags of `node` ask for. Raises: DockerfileError."""
    mounts = Mounts([], [], [], 0 if stage.state.vertex is None else 1)
    for text in node.mounts:
        try:
            _convert(stage, node, mounts, read_mount(text, lambda word: stage.expand(word, node.location)))
        except InvalidMount as error:
            raise DockerfileError(str(error), location=node.location) from error
    mounts.mounts.sort(key=lambda each: (isinstance(each, SshMount), each.target))
    return mounts


def _convert(stage: StageConversion, node: Run, mounts: Mounts, mount: Mount) -> None:
    match mount.type:
        case "secret":
            mounts.secrets.append(_secret(stage, mount))
        case "ssh":
            number = sum(isinstance(each, SshMount) for each in mounts.mounts)
            mounts.mounts.append(_agent(stage, mount, number))
        case "tmpfs":
            target = _target(stage, mount.target)
            mounts.mounts.append(TmpfsMount(target=target, size=mount.size, read_only=mount.is_read_only))
        case "cache":
            mounts.mounts.append(_cache(stage, node, mounts, mount))
        case "bind":
            source = _vertex(stage, node, mount)
            mounts.mounts.append(
                BindMount(
                    input=mounts.add_input(source),
                    target=_target(stage, mount.target),
                    source=rooted(mount.source),
                    writable=not mount.is_read_only,
                )
            )


def _target(stage: StageConversion, written: str) -> str:
    target = join(stage.state.directory, written)
    if target == "/":
        raise InvalidMount(f"invalid mount target {quote(target)}")
    return target


def _secret(stage: StageConversion, mount: Mount) -> SecretMount:
    secret = mount.source or mount.id or posixpath.basename(clean(mount.target))
    target = mount.target
    if not target and not mount.env:
        target = _SECRETS + posixpath.basename(clean(secret))
    return SecretMount(
        id=secret,
        target=_target(stage, target) if target else "",
        env=mount.env,
        mode=_SECRET_MODE if mount.mode is None else mount.mode & 0o777,
        uid=mount.uid or 0,
        gid=mount.gid or 0,
        required=mount.required,
    )


def _agent(stage: StageConversion, mount: Mount, number: int) -> SshMount:
    return SshMount(
        id=mount.id or "default",
        target=_target(stage, mount.target or f"{_AGENTS}{number}"),
        mode=_AGENT_MODE if mount.mode is None else mount.mode & 0o777,
        uid=mount.uid or 0,
        gid=mount.gid or 0,
        required=mount.required,
    )


def _cache(stage: StageConversion, node: Run, mounts: Mounts, mount: Mount) -> CacheMount:
    target = _target(stage, mount.target)
    namespace = stage.scene.build_args.get(_NAMESPACE, "")
    source = rooted(mount.source)
    vertex = _vertex(stage, node, mount) if mount.source_stage else None
    # Who and how are for a new, empty directory only.
    is_new = vertex is None and source == "/"
    return CacheMount(
        id=f"{namespace}/{mount.id or clean(mount.target)}",
        target=target,
        input=mounts.add_input(vertex),
        source=source,
        sharing=mount.sharing or "shared",
        mode=mount.mode & 0o777 if is_new and mount.mode is not None else _CACHE_MODE,
        uid=mount.uid or 0 if is_new else 0,
        gid=mount.gid or 0 if is_new else 0,
        read_only=mount.is_read_only,
    )


def _vertex(stage: StageConversion, node: Run, mount: Mount) -> Vertex | None:
    """What `from` names: a stage, a named context, or an image for the target platform; else the context."""
    scene, name = stage.scene, mount.source_stage
    if not name:
        return build_context(scene.options)
    index = mounted_stage(name, scene.plan.names, location=node.location)
    if index is not None:
        if index not in stage.states:
            raise InvalidMount(
                f"cannot mount from stage {quote(name)} to {quote(mount.target)}, "
                "stage needs to be defined before current command"
            )
        return stage.states[index].source
    return outside_vertex(scene, name, node.location)
