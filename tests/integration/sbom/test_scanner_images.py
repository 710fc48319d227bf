"""Scanner images: the protocol that they are run by, and what happens to bad ones."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from builder import BuildOptions, ImageOutput, PlatformsFailed, build
from builder.scanner.errors import ScanFailed
from builder.system.errors import Cancelled, DockyardError
from exporter.attest.options import SbomOptions

if TYPE_CHECKING:
    from scanning import Laboratory, Scanned

pytestmark = pytest.mark.root

HEAD = r"""
statement() {
  printf '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","subject":[],'
  printf '"predicate":{"spdxVersion":"SPDX-2.3","name":"%s","comment":"%s",' "$1" "$2"
  printf '"creationInfo":{"created":"2020-01-01T00:00:00Z","creators":["Tool: toy"]},'
  printf '"files":[{"fileName":"/made"}],"packages":[]}}'
}
"""
FACTS = r"""
out=$BUILDKIT_SCAN_DESTINATION
can_write=no; touch "$BUILDKIT_SCAN_SOURCE/x" 2>/dev/null && can_write=yes
facts="user=$(id -u) dir=$PWD color=$COLOR level=$BUILDKIT_SCAN_LEVEL source=$BUILDKIT_SCAN_SOURCE out=$out"
statement sbom "$facts write=$can_write made=$(cat $BUILDKIT_SCAN_SOURCE/made)" > $out/sbom.spdx.json
for extra in ${BUILDKIT_SCAN_SOURCE_EXTRAS:+$BUILDKIT_SCAN_SOURCE_EXTRAS/*}; do
  statement $(basename $extra) "$(echo $(ls $extra))" > $out/$(basename $extra).spdx.json
done
touch /tmp/works
"""
TARGET = "FROM scratch\nCOPY made /made\n"


def make_scanner(
    laboratory: Laboratory, script: str, *, command: str = 'ENTRYPOINT ["sh", "/scan.sh"]'
) -> None:
    """Puts the image `toy:1` into the store."""
    laboratory.write("scan.sh", HEAD + script)
    lines = ["FROM busybox", "COPY scan.sh /scan.sh", "ENV COLOR=red", "WORKDIR /place", "USER 1234", command]
    options = BuildOptions(
        context=str(laboratory.context),
        dockerfile_text="\n".join(lines).encode(),
        build_contexts=laboratory.contexts,
        root=laboratory.root,
        tags=("toy:1",),
        outputs=(ImageOutput(names=("toy:1",)),),
    )
    build(options)
    (laboratory.context / "scan.sh").unlink()


def scanned(laboratory: Laboratory, text: str = TARGET, *parameters: tuple[str, str], **more: Any) -> Scanned:
    laboratory.write("made", "it")
    return laboratory.build(text, sbom=SbomOptions(generator="toy:1", parameters=parameters), **more)


def test_a_scanner_gets_what_the_protocol_promises(laboratory: Laboratory) -> None:
    make_scanner(laboratory, FACTS)
    (document,) = scanned(laboratory, TARGET, ("LEVEL", "9")).documents()
    assert document["comment"] == (
        "user=0 dir=/place color=red level=9 source=/run/src/core/sbom out=/run/out/ write=no made=it"
    )


def test_a_scanner_runs_on_this_machine_whatever_it_scans(laboratory: Laboratory) -> None:
    make_scanner(laboratory, FACTS)
    built = scanned(laboratory, platforms=("linux/s390x",))
    assert built.scans == ["[linux/s390x] generating sbom using docker.io/library/toy:1"]


def test_a_platform_that_cannot_be_scanned_fails_alone(laboratory: Laboratory) -> None:
    make_scanner(laboratory, f"test $(cat $BUILDKIT_SCAN_SOURCE/made) = amd64 || exit 3\n{FACTS}")
    for name in ("amd64", "arm64"):
        laboratory.write(name, name)
    text = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /made\n"
    wanted: dict[str, Any] = {"platforms": ("linux/amd64", "linux/arm64"), "on_error": "continue"}
    with pytest.raises(PlatformsFailed) as raised:
        scanned(laboratory, text, **wanted)
    (failure,) = raised.value.failures
    assert str(failure.platform) == "linux/arm64" and "exit code: 3" in str(failure.error)
    built = scanned(laboratory, text, partial="allow", **wanted)
    assert built.documents("linux/amd64") and not built.documents("linux/arm64")
    assert built.cached_scans == ["[linux/amd64] generating sbom using docker.io/library/toy:1"]


def test_files_and_creators_are_added_and_nothing_else_changes(laboratory: Laboratory) -> None:
    make_scanner(laboratory, FACTS)
    built = scanned(laboratory, epoch=1)
    (document,) = built.documents()
    assert document["files"] == [{"fileName": "/made", "comment": f"layerID: {built.layers()[0]}"}]
    assert document["creationInfo"]["created"] == "2020-01-01T00:00:00Z"
    assert document["creationInfo"]["creators"][0] == "Tool: toy"


def test_one_run_scans_stages_and_context_too(laboratory: Laboratory) -> None:
    make_scanner(laboratory, FACTS)
    laboratory.write("only-in-context")
    text = (
        "ARG BUILDKIT_SBOM_SCAN_STAGE=true\nARG BUILDKIT_SBOM_SCAN_CONTEXT=true\n"
        "FROM scratch AS first\nCOPY made /in-stage\nFROM scratch\nCOPY --from=first /in-stage /made\n"
    )
    built = scanned(laboratory, text)
    found = {each["name"]: each["comment"] for each in built.documents()}
    assert next(iter(found)) == "sbom" and len(built.scans) == 1
    assert "only-in-context" in found["sbom-context"] and found["sbom-first"] == "in-stage"


def test_the_result_of_a_scanner_image_is_remembered_by_its_parameters(laboratory: Laboratory) -> None:
    make_scanner(laboratory, FACTS)
    runs = [len(scanned(laboratory, TARGET, ("LEVEL", level)).scans) for level in ("1", "1", "2")]
    assert runs == [1, 0, 1]


def test_an_image_without_a_command_is_refused_before_anything_is_built(laboratory: Laboratory) -> None:
    make_scanner(laboratory, "", command="ENTRYPOINT []\nCMD []")
    with pytest.raises(DockyardError, match=r"scanner docker\.io/library/toy:1 does not have cmd"):
        scanned(laboratory, "FROM busybox\nRUN exit 9\n")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("exit 3", "did not complete successfully: exit code: 3", id="fails"),
        pytest.param("true", "wrote no SBOM", id="writes nothing"),
        pytest.param("ln -s /etc/passwd /run/out/sbom.spdx.json", "not a regular file", id="writes a link"),
        pytest.param("mkfifo /run/out/sbom.spdx.json", "not a regular file", id="writes a fifo"),
        pytest.param(
            "echo '{' >/run/out/sbom.spdx.json", "cannot decode in-toto statement", id="writes garbage"
        ),
        pytest.param(
            "statement a b >/run/out/sbom.spdx.json; statement a b >>/run/out/sbom.spdx.json",
            "not a single JSON object",
            id="writes two",
        ),
        pytest.param(
            """echo '{"predicateType":"https://x","predicate":{}}' >/run/out/sbom.spdx.json""",
            "does not match required predicate type",
            id="writes something else",
        ),
    ],
)
def test_a_bad_scanner_ends_the_build_and_leaves_nothing(
    laboratory: Laboratory, script: str, message: str
) -> None:
    make_scanner(laboratory, script)
    with pytest.raises(ScanFailed, match=message):
        scanned(laboratory)
    assert not laboratory.layout.exists()
    with pytest.raises(ScanFailed, match=message):
        scanned(laboratory)


def test_a_scan_has_only_so_much_time(laboratory: Laboratory) -> None:
    make_scanner(laboratory, "sleep 60")
    started = time.monotonic()
    with pytest.raises(ScanFailed, match="took longer than 1 seconds"):
        scanned(laboratory, TARGET, ("timeout", "1"))
    assert time.monotonic() - started < 30


def test_a_scan_can_be_cancelled(laboratory: Laboratory) -> None:
    make_scanner(laboratory, "sleep 60")
    laboratory.write("made", "it")
    cancel = threading.Event()
    started = time.monotonic()
    threading.Timer(2, cancel.set).start()
    with pytest.raises(Cancelled):
        laboratory.build(TARGET, sbom=SbomOptions(generator="toy:1"), cancel=cancel)
    assert time.monotonic() - started < 30


def test_a_scanner_that_is_not_there_is_named(laboratory: Laboratory) -> None:
    with pytest.raises(DockyardError, match=r"scanner 127\.0\.0\.1:9/none:latest: cannot reach"):
        laboratory.build("FROM scratch\n", sbom=SbomOptions(generator="127.0.0.1:9/none"))
