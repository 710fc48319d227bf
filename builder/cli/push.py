"""`dockyard push`."""

from __future__ import annotations

from builder.cli.later import refused_command

command = refused_command("push", "Send an image to a registry")
