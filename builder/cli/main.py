"""The program's entry: the group of commands, and the way from any error to its exit code.

Imports nothing but click and the errors, so that `dockyard --version` is quick; each command brings the rest.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

import click

from builder import __version__
from builder.cli.interrupts import Interrupts
from builder.cli.lazy import LazyGroup
from builder.cli.report import FAILED, INTERRUPTED, OK, print_error, print_system_error, unexpected
from builder.cli.settings import Settings
from builder.system.errors import DockyardError
from builder.system.places import default_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEW_OBJECTS: Final = 50_000
"""How many objects are made before Python looks for cycles among them, in place of 700."""


class _Commands(LazyGroup):
    table: ClassVar[Mapping[str, tuple[str, str]]] = {
        "build": ("builder.cli.build", "Build an image from a Dockerfile"),
        "why": ("builder.cli.why", "Say why steps of a build ran again"),
        "images": ("builder.cli.images", "List images"),
        "tag": ("builder.cli.tag", "Give an image another name"),
        "rmi": ("builder.cli.rmi", "Remove images"),
        "inspect": ("builder.cli.inspect", "Show what an image is made of"),
        "push": ("builder.cli.push", "Send an image to a registry"),
        "pull": ("builder.cli.pull", "Fetch an image from a registry"),
        "save": ("builder.cli.save", "Write images to an OCI archive"),
        "load": ("builder.cli.load", "Take images from an OCI archive or layout"),
        "run": ("builder.cli.run", "Run a program of an image"),
        "sign": ("builder.cli.sign", "Sign an image and what is said of it"),
        "generate-key-pair": ("builder.cli.generate_key_pair", "Make a key to sign with"),
        "imagetools": ("builder.cli.imagetools", "Work on images at registries"),
        "attest": ("builder.cli.attest", "Show what is said about images"),
        "verify": ("builder.cli.verify", "Check an image's attestations"),
        "store": ("builder.cli.store", "Choose and tend image stores"),
        "cache": ("builder.cli.cache", "Look at the build cache and make it smaller"),
        "doctor": ("builder.cli.doctor", "Say what this machine has and lacks"),
        "version": ("builder.cli.version", "Show the version"),
    }


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DOCKYARD_ROOT",
    help="Directory of dockyard's state.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks, and warnings in full.")
@click.version_option(__version__, prog_name="dockyard")
@click.pass_context
def cli(ctx: click.Context, root: Path | None, *, debug: bool) -> None:
    """Build container images for many platforms from a Dockerfile, without a daemon."""
    chosen = root or default_root(os.environ, uid=os.geteuid())
    ctx.obj = Settings(root=Path(os.path.abspath(chosen)), debug=debug)
    if not debug:
        sys.excepthook = unexpected
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (default: this process's); returns the exit code."""
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        result = cli.main(arguments, prog_name="dockyard", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except DockyardError as error:
        return print_error(error, debug=debug)
    except BrokenPipeError:
        _forget_stdout()
        return FAILED
    except OSError as error:
        return print_system_error(error, debug=debug)
    return result if isinstance(result, int) else OK


def main() -> None:
    """The console script."""
    Interrupts().install()
    # Nearly all that is made on the way to the first step is code, which stays.
    gc.set_threshold(_NEW_OBJECTS)
    _leave(run())


def _leave(code: int) -> NoReturn:
    """Ends the process as it stands: all that was taken has been given back, and the rest goes with it.

    Python would take modules and objects apart one by one, for a seventh of the time of a build that finds
    everything in the cache.
    """
    for stream in (sys.stdout, sys.stderr):
        # Who cannot be told any more has been told nothing that counts: `run` has flushed what did.
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def _forget_stdout() -> None:
    # Python flushes at exit and would complain about the reader who has gone.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
