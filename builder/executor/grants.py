"""Entitlements: what a step may do only when the caller allowed it.

One table, asked by every way to start a process: CVE-2024-23653 was a second way that forgot to ask. A value
that the table does not know is refused, because reading it as "nothing special" is how grants leak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.executor.errors import EntitlementDenied, ExecutorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.graph import Exec

_NETWORKS: Final[Mapping[str, str | None]] = {"default": None, "none": None, "host": "network.host"}
_SECURITY: Final[Mapping[str, str | None]] = {"sandbox": None, "insecure": "security.insecure"}


def check_grants(operation: Exec, allow: frozenset[str]) -> None:
    """Returns when `operation` asks for nothing beyond `allow`.

    Raises: EntitlementDenied, with BuildKit's text; ExecutorError for a network or security mode that does
    not exist.
    """
    if operation.network not in _NETWORKS:
        raise ExecutorError(f"invalid network mode {operation.network!r}")
    if operation.security not in _SECURITY:
        raise ExecutorError(f"invalid security mode {operation.security!r}")
    for entitlement in (_NETWORKS[operation.network], _SECURITY[operation.security]):
        if entitlement is not None and entitlement not in allow:
            raise EntitlementDenied(
                f"entitlement {entitlement} is not allowed", hint=f"allow it with --allow {entitlement}"
            )
