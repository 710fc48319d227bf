"""`dockyard imagetools create`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.progress.modes import MODES

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from exporter.annotations import Annotation
    from exporter.imagetools.combine import Combined


@click.command("create")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Read a source's descriptor from a file.",
)
@click.option("-t", "--tag", "tags", metavar="NAME", multiple=True, help="Name of the new image.")
@click.option("--append", is_flag=True, help="Keep what the image of that name has, too.")
@click.option("--annotation", metavar="[LEVEL:]NAME=VALUE", multiple=True, help="Annotation of the image.")
@click.option(
    "-p",
    "--platform",
    metavar="LIST",
    multiple=True,
    help="Take these platforms only, and their attestations.",
)
@click.option(
    "--prefer-index",
    type=bool,
    default=True,
    show_default=True,
    help="Put an index around a single manifest.",
)
@click.option("--dry-run", is_flag=True, help="Print the image instead of pushing it.")
@click.option("--progress", type=click.Choice(MODES), default="auto", help="How progress is shown.")
@click.option(
    "--metadata-file", metavar="PATH", type=click.Path(path_type=Path), help="Write what was made here."
)
@click.argument("sources", metavar="[SOURCE...]", nargs=-1)
@click.pass_obj
def command(settings: Settings, /, sources: tuple[str, ...], **flags: Any) -> None:
    """Combine the images SOURCE... into one, or copy a single one.

    A SOURCE is a name, or a digest or descriptor in the repository of the others.
    """
    from builder.api.imagetools import CombineOptions, create
    from builder.platforms import parse_platforms
    from builder.progress.modes import choose_mode, open_renderer
    from builder.progress.renderer import Display
    from builder.store.layout.output import replace_file

    options = CombineOptions(
        sources=(*(_descriptor(path) for path in flags["files"]), *sources),
        tags=flags["tags"],
        append=flags["append"],
        annotations=_annotations(flags["annotation"]),
        platforms=parse_platforms([word for words in flags["platform"] for word in words.split(",")]),
        prefer_index=flags["prefer_index"],
        dry_run=flags["dry_run"],
    )
    mode = choose_mode(flags["progress"], os.environ, is_terminal=sys.stderr.isatty())
    with Display(open_renderer(mode, sys.stderr, debug=settings.debug)) as display:
        combined = create(options, on_event=display)
    if options.dry_run:
        click.echo(combined.content + b"\n", nl=False)
    elif flags["metadata_file"] is not None:
        replace_file(flags["metadata_file"], _metadata(combined, options.tags))


def _descriptor(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _annotations(words: tuple[str, ...]) -> tuple[Annotation, ...]:
    """A key without a level is for the index: it is all that is written anew."""
    from builder.cli.build_values import assignments
    from exporter.annotations import parse_annotation

    return tuple(
        each
        for name, value in assignments("--annotation", words).items()
        for each in parse_annotation(name if ":" in name else f"index:{name}", value)
    )


def _metadata(combined: Combined, tags: tuple[str, ...]) -> bytes:
    """The members that buildx writes for an image that it has made."""
    import msgspec

    from builder.oci.digest import encode_json

    members = {
        "containerimage.descriptor": combined.root,
        "containerimage.digest": combined.root.digest,
        "image.name": ",".join(tags),
    }
    return msgspec.json.format(encode_json(members), indent=2) + b"\n"
