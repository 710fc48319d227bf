"""`dockyard imagetools inspect`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from exporter.imagetools.view import ImageView

_KIND: Final = "imagetools.tplInputs"
_WHOLE: Final = ("name", "manifest", "image")
_WHOLE_MANIFEST: Final = "{{.Manifest}}"


@click.command("inspect")
@click.option("--format", "form", metavar="TEMPLATE", default="", help="Format with a Go template.")
@click.option("--raw", is_flag=True, help="Write the index or manifest exactly as it is stored.")
@click.argument("name", metavar="NAME")
def command(name: str, form: str, *, raw: bool) -> None:
    """Show the image NAME as its registry has it.

    A template sees .Name, .Manifest, .Image, .SBOM and .Provenance; `{{json .SBOM}}` prints JSON.
    """
    from builder.api.imagetools import open_view

    if raw and form:
        raise click.UsageError("--raw and --format exclude each other")
    with open_view(name) as view:
        if raw:
            click.echo(view.document(), nl=False)
        elif form in ("", _WHOLE_MANIFEST):
            click.echo(_listing(view), nl=False)
        else:
            # As a template ends, without a newline of ours: scripts compare.
            click.echo(_formatted(view, form), nl=False)


def _listing(view: ImageView) -> str:
    from builder.oci.manifest import decode_index, is_index
    from builder.oci.reference import parse_reference
    from exporter.imagetools.listing import format_listing

    root = view.root
    manifests = (
        decode_index(view.document(), root.media_type).manifests if is_index(root.media_type) else None
    )
    return format_listing(parse_reference(view.name), root, manifests)


def _formatted(view: ImageView, form: str) -> str:
    from builder.cli.gotemplate import render

    fields = {
        "name": lambda: view.name,
        "manifest": view.manifest,
        "image": view.image,
        "SBOM": view.sbom,
        "Provenance": view.provenance,
    }
    return render(form, _Fields(fields), kind=_KIND)


class _Fields(Mapping[str, object]):
    """Values that are read from the registry when the template asks for them.

    As a whole it is what buildx's is: attestations have to be asked for by name.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], object]]) -> None:
        self._loaders = loaders
        self._loaded: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        name = name.lower() if name.lower() in _WHOLE else name
        if name not in self._loaded:
            self._loaded[name] = self._loaders[name]()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_WHOLE)

    def __len__(self) -> int:
        return len(_WHOLE)
