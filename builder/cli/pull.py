"""`dockyard pull`."""

from __future__ import annotations

from builder.cli.later import refused_command

command = refused_command("pull", "Fetch an image from a registry")
