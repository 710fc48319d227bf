"""Running steps in containers.

A step runs beneath a supervisor process that owns private mount and PID namespaces: whatever happens to
dockyard, the kernel takes mounts, processes and networks away with it, and the host never sees them.
The names are loaded on first use: the supervisor imports this package too, and must start in milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.executor.checks import Check, check_machine
    from builder.executor.errors import EntitlementDenied, ExecutorError, StepNotStarted
    from builder.executor.executor import Executor, Step

__all__ = [
    "Check",
    "EntitlementDenied",
    "Executor",
    "ExecutorError",
    "Step",
    "StepNotStarted",
    "check_machine",
]

_ROOMS = {
    "Check": "checks",
    "EntitlementDenied": "errors",
    "Executor": "executor",
    "ExecutorError": "errors",
    "StepNotStarted": "errors",
    "Step": "executor",
    "check_machine": "checks",
}


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return getattr(import_module(f"builder.executor.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'builder.executor' has no attribute {name!r}")
