"""Copies compared with what `cp` does on a real file system."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from memory import content_of, copy, directory, file, layer, run, symlink

from builder.snapshot.entry import sort_key
from builder.snapshot.errors import PathConflict
from builder.snapshot.recipe import RecipeLayer
from builder.snapshot.stack import StackView

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from builder.snapshot.entry import Node

PATHS = st.lists(st.sampled_from(["a", "b", "a-b", "é"]), min_size=1, max_size=3).map("/".join)
KINDS = st.sampled_from(["file", "dir", "link"])
TREES = st.dictionaries(PATHS, KINDS, max_size=6)


def nodes(tree: dict[str, str], prefix: str, *, mark: bytes) -> list[Node]:
    """The nodes of a tree, without what stands below something that is no directory."""
    leaves = {path for path, kind in tree.items() if kind != "dir"}
    made = []
    for path, kind in tree.items():
        if any(path.startswith(f"{leaf}/") for leaf in leaves):
            continue
        whole = f"{prefix}/{path}"
        match kind:
            case "file":
                made.append(file(whole, mark))
            case "dir":
                made.append(directory(whole, mode=0o700))
            case _:
                made.append(symlink(whole, "target"))
    return made


def write(root: Path, recipe: RecipeLayer) -> None:
    for path in sorted(recipe._nodes, key=sort_key):
        node = recipe._nodes[path]
        match node.entry.kind:
            case "dir":
                (root / path).mkdir(exist_ok=True)
                (root / path).chmod(node.entry.mode)
            case "symlink":
                (root / path).symlink_to(node.entry.link)
            case _:
                (root / path).write_bytes(content_of(node))


def on_disk(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = path.stat().st_mode & 0o7777
        else:
            found[name] = path.read_bytes()
    return found


def in_view(view: StackView, path: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for node in view.children(path):
        match node.entry.kind:
            case "symlink":
                found[node.entry.path] = node.entry.link
            case "dir":
                found[node.entry.path] = node.entry.mode
                found.update(in_view(view, node.entry.path))
            case _:
                found[node.entry.path] = content_of(node)
    return found


@settings(max_examples=60, deadline=None)
@given(TREES, TREES)
def test_copying_a_directory_gives_what_cp_gives(
    tmp_path_factory: pytest.TempPathFactory, source: dict[str, str], below: dict[str, str]
) -> None:
    root = tmp_path_factory.mktemp("root")
    source_layer = layer(directory("src"), *nodes(source, "src", mark=b"source"))
    base = layer(directory("dst"), *nodes(below, "dst", mark=b"base"))
    write(root, source_layer)
    write(root, base)
    # Not --archive: as here, the directory that is copied to keeps its own attributes.
    command = ["cp", "--recursive", "--no-dereference", "--preserve=mode", "--remove-destination"]
    copied = subprocess.run(
        [*command, "--no-target-directory", "src", "dst"], cwd=root, check=False, capture_output=True
    )

    try:
        result = run(copy("src", "/dst"), source=StackView([source_layer]), below=StackView([base]))
    except PathConflict:
        assert copied.returncode != 0
        return

    assert copied.returncode == 0
    view = StackView([source_layer, base, RecipeLayer(result.nodes)])
    expected = on_disk(root)
    assert {**in_view(view), "dst": 0} == {**expected, "dst": 0}
