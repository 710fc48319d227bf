"""What the state root's `dockyard.toml` says: how much the root may take, and what is collected by itself.

The defaults are BuildKit's (cmd/buildkitd/config/gcpolicy_unix.go): four policies, each letting more go than
the one before, with sizes that follow from the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.cache.entries import MOUNT_KIND
from builder.cache.filters import any_of
from builder.cache.policy import Policy
from builder.store.errors import StoreError
from builder.store.root import SETTINGS
from builder.system.errors import UsageError
from builder.system.quantities import parse_duration, parse_share

if TYPE_CHECKING:
    from pathlib import Path

    from builder.cache.policy import Disk

_GB: Final = 10**9
_MB: Final = 10**6
_LOCAL: Final = ("type==source.local", f"type=={MOUNT_KIND}", "type==source.git.checkout")
_TWO_DAYS: Final = 48 * 3600.0
_TWO_MONTHS: Final = 60 * 24 * 3600.0

_Size = int | str


class _Sizes(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    reserved_space: _Size = 0
    max_used_space: _Size = 0
    min_free_space: _Size = 0


class _WrittenPolicy(_Sizes, frozen=True, rename="kebab", forbid_unknown_fields=True):
    all: bool = False
    keep_duration: float | str = 0
    filters: tuple[str, ...] = ()


class _Collection(_Sizes, frozen=True, rename="kebab", forbid_unknown_fields=True):
    enabled: bool = True
    policy: tuple[_WrittenPolicy, ...] = ()


class _Mounts(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    max_size: _Size | None = None


class _File(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    max_disk: _Size | None = None
    gc: _Collection = _Collection()
    cache_mounts: _Mounts = _Mounts()


class Settings(msgspec.Struct, frozen=True):
    """`max_disk`: bytes that the state root may take, None: no limit; `policies` are applied after builds.

    `largest_mount`: bytes that a cache mount may have when it is used again.
    """

    max_disk: int | None
    policies: tuple[Policy, ...]
    largest_mount: int | None = None


def read_settings(root: Path, disk: Disk) -> Settings:
    """The settings of the state root `root`, which is on `disk`; those of nobody when it has no file.

    Raises: StoreError for a file that cannot be read, with the key that is wrong.
    """
    path = root / SETTINGS
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Settings(None, default_policies(disk))
    # Loaded here because most state roots have no file.
    import tomllib

    try:
        return _settings(msgspec.convert(tomllib.loads(text), _File), disk)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UsageError) as error:
        message = error.message if isinstance(error, UsageError) else str(error)
        raise StoreError(f"{path}: {message}", hint="docs/cache.md lists the settings") from error


def default_policies(disk: Disk, sizes: Policy | None = None) -> tuple[Policy, ...]:
    """The four policies; `sizes` are those of the last three, None: they follow from `disk`."""
    wanted = sizes or Policy(
        reserved=min(_share(disk, 10), 10 * _GB),
        max_used=min(_share(disk, 80), 100 * _GB),
        min_free=_share(disk, 20),
    )
    return (
        Policy(filters=_LOCAL, keep_seconds=_TWO_DAYS, max_used=512 * _MB),
        msgspec.structs.replace(wanted, keep_seconds=_TWO_MONTHS),
        wanted,
        msgspec.structs.replace(wanted, all=True),
    )


def _settings(file: _File, disk: Disk) -> Settings:
    largest = file.cache_mounts.max_size
    return Settings(
        max_disk=None if file.max_disk is None else _bytes("max-disk", file.max_disk, disk),
        policies=_policies(file.gc, disk),
        largest_mount=None if largest is None else _bytes("max-size", largest, disk),
    )


def _policies(written: _Collection, disk: Disk) -> tuple[Policy, ...]:
    if not written.enabled:
        return ()
    if written.policy:
        return tuple(_policy(each, disk) for each in written.policy)
    sizes = _sized(written, disk)
    return default_policies(disk, sizes if sizes != Policy() else None)


def _policy(written: _WrittenPolicy, disk: Disk) -> Policy:
    any_of(written.filters)
    keep = written.keep_duration
    return msgspec.structs.replace(
        _sized(written, disk),
        all=written.all,
        filters=written.filters,
        keep_seconds=parse_duration("keep-duration", keep) if isinstance(keep, str) else float(keep),
    )


def _sized(written: _Sizes, disk: Disk) -> Policy:
    return Policy(
        reserved=_bytes("reserved-space", written.reserved_space, disk),
        max_used=_bytes("max-used-space", written.max_used_space, disk),
        min_free=_bytes("min-free-space", written.min_free_space, disk),
    )


def _bytes(key: str, size: _Size, disk: Disk) -> int:
    if isinstance(size, str):
        return parse_share(key, size, whole=disk.size)
    if size < 0:
        raise UsageError(f"{key}: invalid size: {size}")
    return size


def _share(disk: Disk, percent: int) -> int:
    # Rounded up to whole gigabytes, as BuildKit does it.
    return (disk.size * percent // 100 // (1 << 30) + 1) * _GB
