"""An image at a registry as text, laid out as buildx prints it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.progress.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference

_INDENT: Final = "  "
_Line = tuple[str, str]


def format_listing(name: Reference, root: Descriptor, manifests: Sequence[Descriptor] | None) -> str:
    """Lines about `root`, and about each of `manifests` if it is an index; a newline ends the last."""
    head = [("Name:", str(name)), ("MediaType:", root.media_type), ("Digest:", str(root.digest))]
    if manifests is None:
        return "".join(_aligned(head))
    lines = [*_aligned([*head, ("", "")]), "Manifests: \n"]
    block: list[_Line] = []
    for number, entry in enumerate(manifests):
        block += [("", "")] if number else []
        block += _entry(name, entry)
        # What is not in columns of this kind ends a block of lines that share them.
        if entry.annotations:
            block.append((f"{_INDENT}Annotations:", ""))
            lines += _aligned(block)
            lines += _aligned(
                (f"{_INDENT * 2}{key}:", value) for key, value in sorted(entry.annotations.items())
            )
            block = []
    return "".join((*lines, *_aligned(block)))


def _entry(name: Reference, entry: Descriptor) -> Iterator[_Line]:
    yield f"{_INDENT}Name:", f"{name.repository}{':' + name.tag if name.tag else ''}@{entry.digest}"
    yield f"{_INDENT}MediaType:", entry.media_type
    if entry.artifact_type:
        yield f"{_INDENT}ArtifactType:", entry.artifact_type
    platform = entry.platform
    if platform is not None:
        words = (platform.os, platform.architecture, platform.variant)
        yield f"{_INDENT}Platform:", "/".join(word for word in words if word)
        if platform.os_version:
            yield f"{_INDENT}OSVersion:", platform.os_version
        if platform.os_features:
            yield f"{_INDENT}OSFeatures:", ", ".join(platform.os_features)
    if entry.urls:
        yield f"{_INDENT}URLs:", ", ".join(entry.urls)


def _aligned(lines: Iterable[_Line]) -> list[str]:
    cells = [(one_line(label), one_line(value)) for label, value in lines]
    width = max((len(label) for label, _ in cells), default=0) + 1
    return [f"{label.ljust(width)}{value}\n" for label, value in cells]
