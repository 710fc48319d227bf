"""`dockyard verify`."""

from __future__ import annotations

from builder.cli.later import refused_command

command = refused_command("verify", "Check an image's attestations, signatures and policy")
