"""From solved targets to the outputs that were asked for: blobs first, then documents, names last.

Outputs do not depend on each other: one that fails does not stop the others, and in the end it is said which did.
What makes a kind of output is loaded when one is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from builder.api.metering import Watch, vertex_of
from builder.api.options import BuildResult
from builder.system.errors import Cancelled, DockyardError
from exporter.errors import OutputsFailed
from exporter.outputs import (
    CacheOnlyOutput,
    DockerOutput,
    ImageOutput,
    LoadOutput,
    LocalOutput,
    OciOutput,
    TarOutput,
    describe_output,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.assembling import InlineCaches
    from builder.api.built import Built
    from builder.api.destinations import Destinations
    from builder.api.fileoutputs import FileOutputs
    from builder.api.imageoutputs import ImageOutputs
    from builder.api.signing import ImageSigner
    from builder.progress.stream import Stream
    from exporter.outputs import Output


class Export:
    """Delivers one build. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(
        self,
        built: Built,
        stream: Stream,
        destinations: Destinations,
        *,
        signer: ImageSigner | None = None,
        inline: InlineCaches | None = None,
    ) -> None:
        """`signer` signs images; `inline` has caches to put into them."""
        self._built = built
        self._stream = stream
        self._destinations = destinations
        self._signer = signer
        self._inline = inline

    def prepare(self, output: Output) -> None:
        """Makes what `output` needs of the layers, and nothing else: delivering finds it."""
        match output:
            case CacheOnlyOutput():
                return
            case LocalOutput() | TarOutput():
                self._files().prepare()
            case ImageOutput() | OciOutput() | DockerOutput() | LoadOutput():
                self._images().prepare(output)
            case _:
                assert_never(output)

    def deliver(self, outputs: Sequence[Output], *, multi_platform: bool) -> BuildResult:
        """Makes every output; the result describes the first of them that is an image.

        Raises: the error of an output that is the only one; OutputsFailed for others that had to succeed.
        """
        results: list[BuildResult] = []
        delivered: list[str] = []
        failures: list[tuple[str, DockyardError | OSError]] = []
        for output in outputs:
            try:
                results.append(self._deliver(output, multi_platform=multi_platform))
            except Cancelled:
                raise
            except (DockyardError, OSError) as error:
                if len(outputs) == 1 and not output.optional:
                    raise
                if output.optional:
                    self._stream.warning(
                        vertex_of(output), f"the optional output {describe_output(output)} failed: {error}"
                    )
                else:
                    failures.append((describe_output(output), error))
            else:
                delivered.append(describe_output(output))
        if failures:
            raise OutputsFailed(failures, delivered) from failures[0][1]
        names = tuple(dict.fromkeys(name for result in results for name in result.names))
        described = next((result for result in results if result.digest is not None), BuildResult())
        return replace(described, names=names)

    def _deliver(self, output: Output, *, multi_platform: bool) -> BuildResult:
        match output:
            case CacheOnlyOutput():
                return BuildResult()
            case LocalOutput() | TarOutput():
                self._files().write(output, several=multi_platform or len(self._built.targets) > 1)
                return BuildResult()
            case ImageOutput() | OciOutput() | DockerOutput() | LoadOutput():
                return self._images().deliver(output, multi_platform=multi_platform)
        assert_never(output)

    def _files(self) -> FileOutputs:
        from builder.api.fileoutputs import FileOutputs

        return FileOutputs(self._built, Watch(self._stream))

    def _images(self) -> ImageOutputs:
        from builder.api.imageoutputs import ImageOutputs

        return ImageOutputs(
            self._built, self._stream, self._destinations, signer=self._signer, inline=self._inline
        )
