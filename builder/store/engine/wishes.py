"""What somebody wants of a program in a container, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.system.values import Value

if TYPE_CHECKING:
    from builder.graph.operations import Network
    from builder.platforms import Platform


class ContainerWishes(Value, frozen=True, kw_only=True):
    """What shall differ from the image's own defaults. `entrypoint` None: the image's; "": none at all.

    `platform` chooses of an index; None: whoever runs it. `interactive`: the program has our standard input;
    `terminal`: that is a terminal.
    """

    args: tuple[str, ...] = ()
    entrypoint: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = ""
    user: str = ""
    network: Network = "default"
    hostname: str = ""
    platform: Platform | None = None
    interactive: bool = False
    terminal: bool = False
