"""What a build that finds everything in the cache does not load: all of it was once a part of its time."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="building needs root"),
]
PROGRAM: Final = "from builder.cli.main import main; main()"
DOCKERFILE: Final = """\
FROM scratch AS build
COPY file /
FROM scratch
COPY --from=build /file /copy
WORKDIR /work
ENV A=b
"""
LIBRARIES: Final = frozenset(
    "lark rich requests docker grpc cryptography boto3 zstandard isal deflate subprocess socket shutil bz2 lzma "
    "zlib csv filecmp google.protobuf dataclasses tempfile logging".split()
)
ROOMS: Final = frozenset(
    "builder.api.caching builder.api.fileoutputs builder.api.guarding builder.api.loadedcontexts "
    "builder.executor.executor builder.snapshot.compression builder.snapshot.making builder.snapshot.treewriter "
    "builder.snapshot.unchanged builder.snapshot.unpack builder.solver.mountsteps builder.solver.runsteps "
    "builder.store.containerd.store builder.store.engine.engine exporter.attest.policy.policy "
    "exporter.attest.signing.keys exporter.docker frontend.dockerfile.conversion.epochs "
    "frontend.dockerfile.conversion.remotes frontend.dockerfile.words".split()
)
OF_IMAGES: Final = frozenset("builder.api.imageoutputs exporter.assemble exporter.oci base64".split())


def build(root: Path, context: Path, output: str) -> set[str]:
    """The modules that a build loads."""
    words = ["--root", str(root), "build", "-q", "--platform", "linux/amd64,linux/arm64", "-o", output]
    built = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", PROGRAM, *words, str(context)],
        cwd=root.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {line.rpartition("|")[2].strip() for line in built.stderr.splitlines()}


@pytest.mark.parametrize(
    ("output", "unneeded"),
    [
        ("type=cacheonly", LIBRARIES | ROOMS | OF_IMAGES),
        ("type=oci,dest=image.tar", LIBRARIES | ROOMS),
    ],
)
def test_a_cached_build_loads_only_what_it_uses(
    output: str, unneeded: frozenset[str], tmp_path: Path
) -> None:
    root, context = tmp_path / "root", tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "file").write_text("content\n")
    assert "builder.snapshot.making" in build(root, context, output)

    # The cache is collected once a minute, and that takes what it takes.
    os.utime(root / "collected")
    loaded = build(root, context, output)
    assert "builder.solver.solve" in loaded
    assert sorted(loaded & unneeded) == []
