"""`dockyard run`: a program of an image of the store, in a container that is gone afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click
import msgspec

from builder.cli.settings import open_images

if TYPE_CHECKING:
    from builder.api.run_plan import RunWishes
    from builder.cli.settings import Settings

_PARAMETERS: Final[tuple[click.Parameter, ...]] = (
    click.Option(
        ["--platform"], metavar="PLATFORM", help="Which image of an index; default: this machine's."
    ),
    click.Option(["--rm"], is_flag=True, expose_value=False, help="Accepted; nothing is ever left."),
    click.Option(["-e", "--env"], metavar="NAME[=VALUE]", multiple=True, help="Set a variable."),
    click.Option(["-w", "--workdir"], metavar="PATH", default="", help="Working directory."),
    click.Option(["-u", "--user"], metavar="USER[:GROUP]", default="", help="User and group."),
    click.Option(["--network"], metavar="MODE", default="default", help="default, none or host."),
    click.Option(["--entrypoint"], metavar="PROGRAM", help="In place of the image's ENTRYPOINT and CMD."),
    click.Option(["--hostname"], metavar="NAME", default="", help="Host name inside."),
    click.Option(["-i", "--interactive"], is_flag=True, help="Pass standard input on."),
    click.Option(["-t", "--tty"], is_flag=True, help="Give the program a terminal."),
    click.Option(
        ["--max-disk"],
        metavar="SIZE",
        envvar="DOCKYARD_MAX_DISK",
        help="What the state root may take; the cache makes room for the image's files.",
    ),
    click.Option(
        ["--driver"], type=click.Choice(["containerd", "docker", "classic"]), help="The image store to use."
    ),
    click.Argument(["image"]),
    click.Argument(["args"], nargs=-1, type=click.UNPROCESSED),
)


class RunFlags(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    platform: str | None
    env: tuple[str, ...]
    workdir: str
    user: str
    network: str
    entrypoint: str | None
    hostname: str
    interactive: bool
    tty: bool
    max_disk: str | None
    driver: str | None
    image: str
    args: tuple[str, ...]


@click.command("run", params=list(_PARAMETERS), context_settings={"allow_interspersed_args": False})
@click.pass_obj
def command(settings: Settings, /, **words: object) -> int:
    """Run a program of IMAGE with ARGS; the exit code is the program's.

    What the program writes to its file system is thrown away.
    """
    from builder.cli.image_names import find_image

    flags = msgspec.convert(words, RunFlags)
    wishes = read_wishes(flags)
    with open_images(settings, flags.driver) as service:
        return service.run(find_image(service.images, flags.image), wishes)


def read_wishes(flags: RunFlags) -> RunWishes:
    """What the flags and the environment ask of the container. Raises: UsageError."""
    from builder.api.run_plan import RunWishes, environment_words
    from builder.cli.build_values import network
    from builder.platforms import parse_platform
    from builder.system.quantities import parse_size

    return RunWishes(
        args=flags.args,
        entrypoint=flags.entrypoint,
        env=environment_words(flags.env, os.environ),
        cwd=flags.workdir,
        user=flags.user,
        network=network(flags.network),
        hostname=flags.hostname,
        platform=parse_platform(flags.platform) if flags.platform else None,
        interactive=flags.interactive,
        terminal=flags.tty,
        max_disk=parse_size("--max-disk", flags.max_disk) if flags.max_disk else None,
    )
