"""`dockyard run`: a program of an image of the store, in a container that is gone afterwards."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import click
import msgspec

from builder.cli.settings import Settings, require_root

if TYPE_CHECKING:
    from builder.cli.run_plan import RunWishes

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
    driver: str | None
    image: str
    args: tuple[str, ...]


@click.command("run", params=list(_PARAMETERS), context_settings={"allow_interspersed_args": False})
@click.pass_obj
def command(settings: Settings, /, **words: object) -> int:
    """Run a program of IMAGE with ARGS; the exit code is the program's.

    What the program writes to its file system is thrown away.
    """
    from builder.api import run_image
    from builder.cli.image_names import find_image
    from builder.cli.run_plan import plan_run
    from builder.platforms import host_platform, parse_platform
    from builder.store.selection import environment_address, open_daemon, open_store

    flags = msgspec.convert(words, RunFlags)
    platform = parse_platform(flags.platform) if flags.platform else host_platform()
    wishes = read_wishes(flags)
    require_root("run")
    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings.root, driver=flags.driver))
        daemon = open_daemon(store.root, driver=flags.driver, address=environment_address(os.environ))
        if daemon is not None:
            stack.enter_context(daemon)
        return run_image(
            store,
            find_image((daemon or store).images, flags.image).target,
            platform=platform,
            daemon=daemon,
            plan=lambda config: plan_run(config, wishes),
            interactive=flags.interactive,
            terminal=flags.tty,
        )


def read_wishes(flags: RunFlags) -> RunWishes:
    """What the flags and the environment ask of the container. Raises: UsageError."""
    from builder.cli.build_values import network
    from builder.cli.run_plan import RunWishes, environment_words

    return RunWishes(
        args=flags.args,
        entrypoint=flags.entrypoint,
        env=environment_words(flags.env, os.environ),
        cwd=flags.workdir,
        user=flags.user,
        network=network(flags.network),
        hostname=flags.hostname,
    )
