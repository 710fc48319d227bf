"""Operations of the graph in the JSON that BuildKit has for those of its low-level build definition.

A translation of one kind into the other, member by member; what BuildKit leaves out when it is empty is left
out here. No value of a secret is part of an operation, so none can get here.
Source: BuildKit's solver/pb/ops.proto, in its Go form.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from builder.graph import (
    BindMount,
    CacheMount,
    Copy,
    Exec,
    File,
    Git,
    Http,
    Image,
    Local,
    MakeDirectory,
    MakeFile,
    Merge,
    SshMount,
    TmpfsMount,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.graph import Mount, Operation, Owner
    from builder.platforms import Platform

_NO_INPUT: Final = -1
_NETWORKS: Final = {"default": 0, "host": 1, "none": 2}
_SECURITY: Final = {"sandbox": 0, "insecure": 1}
_MOUNTS: Final = {"bind": 0, "secret": 1, "ssh": 2, "cache": 3, "tmpfs": 4}
_SHARING: Final = {"shared": 0, "private": 1, "locked": 2}


def operation_json(operation: Operation) -> dict[str, object]:
    """`{"Op": {"exec": {...}}, "platform": {...}, "constraints": {}}`, without inputs."""
    kind, members = _members(operation)
    platform = operation.platform if isinstance(operation, Exec | Image) else None
    described = {"platform": _platform(platform)} if platform is not None else {}
    return {"Op": {kind: members}, **described, "constraints": {}}


def _members(operation: Operation) -> tuple[str, dict[str, object]]:
    match operation:
        case Image():
            return "source", {"identifier": f"docker-image://{_pinned(operation)}"}
        case Local():
            return "source", _source(
                f"local://{operation.name}", {"local.excludepatterns": operation.exclude}
            )
        case Http():
            attrs = {"http.checksum": operation.checksum or "", "http.filename": operation.filename}
            return "source", _source(operation.url, attrs)
        case Git():
            return "source", _git(operation)
        case Exec():
            return "exec", _exec(operation)
        case File():
            return "file", {"actions": [_action(operation, n) for n in range(len(operation.actions))]}
        case Merge():
            return "merge", {}
    assert_never(operation)


def _pinned(operation: Image) -> str:
    return f"{operation.reference.partition('@')[0]}@{operation.digest}"


def _source(identifier: str, attrs: Mapping[str, str | tuple[str, ...]]) -> dict[str, object]:
    told = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in attrs.items()
        if value
    }
    return {"identifier": identifier, **({"attrs": told} if told else {})}


def _git(operation: Git) -> dict[str, object]:
    address = operation.remote.partition("://")[2] or operation.remote
    fragment = f"{operation.ref}:{operation.subdirectory}" if operation.subdirectory else operation.ref
    attrs = {
        "git.fullurl": operation.remote,
        "git.checksum": operation.checksum,
        "git.keepgitdir": "true" if operation.keep_git_dir else "",
        "git.skipsubmodules": "" if operation.submodules else "true",
    }
    return _source(f"git://{address}{'#' if fragment else ''}{fragment}", attrs)


def _platform(platform: Platform) -> dict[str, object]:
    return _told(
        {
            "Architecture": platform.architecture,
            "OS": platform.os,
            "Variant": platform.variant,
            "OSVersion": platform.os_version,
        }
    )


def _exec(operation: Exec) -> dict[str, object]:
    meta = {
        "args": list(operation.args),
        "env": [f"{name}={value}" for name, value in operation.env],
        "cwd": operation.cwd,
        "user": operation.user,
        "proxy_env": {name.lower(): value for name, value in operation.proxy_env},
        "extraHosts": [{"Host": name, "IP": address} for name, address in operation.extra_hosts],
        "hostname": operation.hostname,
        "ulimit": [{"Name": name, "Soft": soft, "Hard": hard} for name, soft, hard in operation.ulimits],
        "cgroupParent": operation.cgroup_parent,
        "removeMountStubsRecursive": True,
    }
    root = {"input": _NO_INPUT if operation.base is None else operation.base, "dest": "/"}
    secrets = [
        {
            "input": _NO_INPUT,
            "dest": each.target,
            "output": _NO_INPUT,
            "mountType": _MOUNTS["secret"],
            "secretOpt": _told(
                {
                    "ID": each.id,
                    "uid": each.uid,
                    "gid": each.gid,
                    "mode": each.mode,
                    "optional": not each.required,
                }
            ),
        }
        for each in operation.secrets
        if each.target
    ]
    variables = [
        _told({"ID": each.id, "name": each.env, "optional": not each.required})
        for each in operation.secrets
        if each.env
    ]
    return _told(
        {
            "meta": _told(meta),
            "mounts": [_told(root), *map(_mount, operation.mounts), *secrets],
            "network": _NETWORKS[operation.network],
            "security": _SECURITY[operation.security],
            "secretenv": variables,
        }
    )


def _mount(mount: Mount) -> dict[str, object]:
    match mount:
        case BindMount():
            members = {
                "input": _NO_INPUT if mount.input is None else mount.input,
                "selector": mount.source.removeprefix("/"),
                "dest": mount.target,
                "output": _NO_INPUT,
                "readonly": not mount.writable,
            }
        case TmpfsMount():
            members = {
                "input": _NO_INPUT, "dest": mount.target, "output": _NO_INPUT, "mountType": _MOUNTS["tmpfs"],
                "TmpfsOpt": _told({"size": mount.size}),
            }  # fmt: skip
        case CacheMount():
            members = {
                "input": _NO_INPUT if mount.input is None else mount.input,
                "selector": mount.source.removeprefix("/"),
                "dest": mount.target,
                "output": _NO_INPUT,
                "readonly": mount.read_only,
                "mountType": _MOUNTS["cache"],
                "cacheOpt": _told({"ID": mount.id, "sharing": _SHARING[mount.sharing]}),
            }
        case SshMount():
            agent = {
                "ID": mount.id, "uid": mount.uid, "gid": mount.gid, "mode": mount.mode,
                "optional": not mount.required,
            }  # fmt: skip
            members = {
                "input": _NO_INPUT, "dest": mount.target, "output": _NO_INPUT, "mountType": _MOUNTS["ssh"],
                "SSHOpt": _told(agent),
            }  # fmt: skip
        case _:
            assert_never(mount)
    return _told(members)


def _action(operation: File, number: int) -> dict[str, object]:
    """One action; each but the first works on what the one before it has made."""
    action, inputs = operation.actions[number], _inputs(operation)
    base = operation.base if number == 0 else inputs + number - 1
    secondary = action.input if isinstance(action, Copy) else None
    last = number == len(operation.actions) - 1
    return {
        **_told({"input": _NO_INPUT if base is None else base}),
        **_told({"secondaryInput": _NO_INPUT if secondary is None else secondary}),
        **_told({"output": 0 if last else _NO_INPUT}),
        "Action": _file_action(action),
    }


def _inputs(operation: File) -> int:
    used = [each.input for each in operation.actions if isinstance(each, Copy)]
    return max((position + 1 for position in (operation.base, *used) if position is not None), default=0)


def _file_action(action: Copy | MakeDirectory | MakeFile) -> dict[str, object]:
    match action:
        case MakeDirectory():
            made = {
                "path": action.path, "mode": action.mode, "makeParents": True, "owner": _owner(action.owner),
                "timestamp": -1 if action.mtime is None else action.mtime,
            }  # fmt: skip
            return {"mkdir": _told(made)}
        case MakeFile():
            mode = action.mode if action.mode is not None else 0o644
            file = {
                "path": action.destination
                if not action.destination.endswith("/")
                else action.destination + action.name,
                "mode": mode if isinstance(mode, int) else 0o644,
                "modeStr": mode if isinstance(mode, str) else "",
                "data": base64.b64encode(action.content.encode("utf-8", "surrogateescape")).decode(),
                "owner": _owner(action.owner),
                "timestamp": -1 if action.mtime is None else action.mtime,
            }
            return {"mkfile": _told(file)}
        case Copy():
            return {"copy": _copy(action)}
    assert_never(action)


def _copy(action: Copy) -> dict[str, object]:
    members = {
        "src": action.sources[0] if len(action.sources) == 1 else "/",
        "dest": action.destination,
        "owner": _owner(action.owner),
        "mode": action.mode if isinstance(action.mode, int) else _NO_INPUT,
        "modeStr": action.mode if isinstance(action.mode, str) else "",
        "followSymlink": True,
        "dirCopyContents": True,
        "attemptUnpackDockerCompatibility": action.unpack,
        "createDestPath": True,
        "allowWildcard": True,
        "allowEmptyWildcard": True,
        "timestamp": -1,
        "include_patterns": [] if len(action.sources) == 1 else list(action.sources),
        "exclude_patterns": list(action.exclude),
    }
    return _told(members)


def _owner(owner: Owner | None) -> dict[str, object]:
    if owner is None:
        return {}
    group = owner.group if owner.group is not None else owner.user if isinstance(owner.user, int) else None
    return _told({"user": _account(owner.user), "group": _account(group)})


def _account(account: int | str | None) -> dict[str, object]:
    if account is None:
        return {}
    if isinstance(account, int):
        return {"User": {"byID": account}}
    return {"User": {"byName": {"name": account}}}


def _told(members: Mapping[str, object]) -> dict[str, object]:
    """`members` without those that BuildKit leaves out: false, 0, and what is empty."""
    return {name: value for name, value in members.items() if value not in (False, 0, "", [], {}, None)}
