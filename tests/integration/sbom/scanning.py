"""Builds with SBOMs through the Python API, and the statements that came out."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from builder import BuildOptions, build
from builder.progress.events import VertexCached, VertexCompleted, VertexStarted
from exporter.attest.options import SbomOptions
from exporter.outputs import OciOutput

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from builder.progress.events import Event

SPDX = "https://spdx.dev/Document"


class Scanned:
    """One build: its events, and per platform the statements about SPDX in their order."""

    def __init__(self, layout: Path, events: list[Event]) -> None:
        self._layout = layout
        self.events = events
        self.index = self._read(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])

    @property
    def scans(self) -> list[str]:
        """Names of the scans that were run."""
        names = {each.digest: each.name for each in self.events if isinstance(each, VertexStarted)}
        done = [names[each.digest] for each in self.events if isinstance(each, VertexCompleted)]
        return [name for name in done if "generating sbom" in name]

    @property
    def cached_scans(self) -> list[str]:
        """Names of the scans that were remembered."""
        cached = [each.name for each in self.events if isinstance(each, VertexCached)]
        return [name for name in cached if "generating sbom" in name]

    def documents(self, platform: str = "") -> list[dict[str, Any]]:
        """The predicates of one platform; empty: the only one."""
        manifests = self.index["manifests"]
        images = {
            each["digest"]: f"{each['platform']['os']}/{each['platform']['architecture']}"
            for each in manifests
            if each["platform"]["os"] != "unknown"
        }
        for each in manifests:
            about = images.get(each.get("annotations", {}).get("vnd.docker.reference.digest", ""))
            if about is not None and platform in ("", about):
                layers = self._read(each["digest"])["layers"]
                found = [
                    layer for layer in layers if layer["annotations"]["in-toto.io/predicate-type"] == SPDX
                ]
                return [self._read(layer["digest"])["predicate"] for layer in found]
        return []

    def layers(self) -> list[str]:
        """Digests of the layers of the first image."""
        return [each["digest"] for each in self._read(self.index["manifests"][0]["digest"])["layers"]]

    def _read(self, digest: str) -> Any:
        return json.loads((self._layout / "blobs" / digest.replace(":", "/")).read_bytes())


class Laboratory:
    """A context and a state root in which things are built and scanned."""

    def __init__(self, folder: Path, root: Path, contexts: dict[str, str]) -> None:
        self.context = folder / "context"
        self.context.mkdir()
        self.root = root
        self.layout = folder / "layout"
        self.contexts = contexts

    def write(self, path: str, content: str | bytes = "") -> None:
        target = self.context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def build(
        self,
        dockerfile: str,
        *,
        platforms: tuple[str, ...] = (),
        epoch: int | None = None,
        sbom: SbomOptions | None = None,
        cancel: threading.Event | None = None,
        **more: Any,
    ) -> Scanned:
        shutil.rmtree(self.layout, ignore_errors=True)
        events: list[Event] = []
        options = BuildOptions(
            context=str(self.context),
            dockerfile_text=dockerfile.encode(),
            build_contexts=self.contexts,
            platforms=platforms,
            root=self.root,
            sbom=sbom or SbomOptions(),
            outputs=(OciOutput(dest=self.layout, tar=False, epoch=epoch),),
            **more,
        )
        build(options, on_event=events.append, cancel=cancel)
        return Scanned(self.layout, events)


def packages(document: dict[str, Any]) -> set[str]:
    """`name version` of all packages, without the scanned file system itself."""
    return {f"{each['name']} {each.get('versionInfo', '')}".strip() for each in document["packages"]}
