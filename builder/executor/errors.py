"""What can go wrong around a step; what goes wrong inside it is its exit code.

ExecutorError              the machine, the image or the request does not let the step run
├── EntitlementDenied      the step asks for something that the caller did not allow
└── StepNotStarted         the image does not let the command be started
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class ExecutorError(DockyardError):
    """A step could not be run at all; the message says why and the hint what to do."""


class StepNotStarted(ExecutorError):
    """The container of a step could not be made: its user is unknown, a mount point cannot be used."""


class EntitlementDenied(ExecutorError):
    """A step needs an entitlement that was not granted."""
