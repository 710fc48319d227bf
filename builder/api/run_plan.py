"""What `dockyard run` starts: the image's own defaults, with the command line's wishes put over them.

Source: Docker's rules: `--entrypoint` also drops the image's CMD; arguments take the place of CMD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph.operations import Exec
from builder.oci.config import DEFAULT_PATH
from builder.store.engine.wishes import ContainerWishes
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from builder.oci.config import ImageConfig


class NothingToRun(DockyardError):
    """Neither the image nor the command line names a program."""


class RunWishes(ContainerWishes, frozen=True, kw_only=True):
    """What the command line says. `max_disk`: bytes that the state root may take; None: what its settings say."""

    max_disk: int | None = None


def plan_run(config: ImageConfig, wishes: RunWishes) -> Exec:
    """The operation that runs an image with `config`, without its file system.

    Raises: NothingToRun.
    """
    defaults = config.config
    entrypoint = defaults.entrypoint or ()
    arguments = wishes.args or defaults.cmd or ()
    if wishes.entrypoint is not None:
        entrypoint = (wishes.entrypoint,) if wishes.entrypoint else ()
        arguments = wishes.args
    if not (*entrypoint, *arguments):
        raise NothingToRun(
            "no command specified: the image has neither ENTRYPOINT nor CMD",
            hint="name a program behind the image",
        )
    return Exec(
        base=0,
        args=(*entrypoint, *arguments),
        env=_environment(defaults.env or (), wishes.env),
        cwd=wishes.cwd or defaults.working_dir or "/",
        user=wishes.user or defaults.user,
        network=wishes.network,
        platform=config.platform,
        hostname=wishes.hostname,
    )


def environment_words(words: Iterable[str], environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """`-e` words, `NAME=VALUE`; one without `=` takes its value from `environ`, or is left out."""
    pairs = [word.partition("=") for word in words]
    return tuple(
        (name, value if equals else environ[name])
        for name, equals, value in pairs
        if equals or name in environ
    )


def _environment(image: Iterable[str], wished: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    merged = {"PATH": DEFAULT_PATH}
    for word in image:
        name, _, value = word.partition("=")
        merged[name] = value
    return tuple({**merged, **dict(wished)}.items())
