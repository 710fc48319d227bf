"""`python -m sidebyside`: runs the workloads with all builders that can be had, one after the other, in turns."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from fixtures.errors import FixtureError
from fixtures.peers.engine import running_engine
from sidebyside.builders import Buildah, Builder, BuildKit, Dockyard, Request
from sidebyside.disk import measured_disk, warm_memory
from sidebyside.emulation import registered_emulator
from sidebyside.measure import CommandFailed, Sample
from sidebyside.registry import ADDRESS, Registry
from sidebyside.report import Line, line_of, plot, row, table
from sidebyside.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sidebyside.workloads import Workload

_ROUNDS: Final = 3


def main() -> int:
    arguments = _arguments()
    chosen = [each for each in WORKLOADS if not arguments.only or any(w in each.name for w in arguments.only)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-")))
        disk = stack.enter_context(measured_disk(folder))
        emulation = registered_emulator if arguments.register_qemu else nullcontext
        bench = _Bench(disk, stack, without=frozenset(arguments.without), emulation=emulation)
        warm_memory(disk)
        lines = []
        for workload in chosen:
            lines.append(bench.run(workload, rounds=arguments.rounds))
            print(row(lines[-1], bench.names), flush=True)
            for name, reason in lines[-1].refused.items():
                print(f"    {name}: {reason}", file=sys.stderr, flush=True)
    _write(lines, bench.names, arguments.out)
    return 0


class _Bench:
    """The builders, and the places that they work in."""

    def __init__(
        self,
        disk: Path,
        stack: ExitStack,
        *,
        without: frozenset[str],
        emulation: Callable[[], AbstractContextManager[None]],
    ) -> None:
        engine = None
        if "BuildKit" not in without:
            try:
                engine = stack.enter_context(running_engine(disk))
            except FixtureError as error:
                print(f"without BuildKit: {error}", file=sys.stderr)
        self._shared = engine.shared if engine else disk / "shared"
        self._shared.mkdir(exist_ok=True)
        # One network for all: the engine's own, which is on no other.
        inside = ("nsenter", f"--target={engine.pid}", "--net") if engine else ()
        self._registry = Registry(disk, inside)
        stack.callback(self._registry.stop)
        self._layouts = {name: _layout(name, self._shared) for name in ("busybox", "debian")}
        self._builders: list[Builder] = [Dockyard(disk / "dockyard", self._layouts, inside)]
        if engine:
            self._builders.append(BuildKit(engine, self._layouts, emulation=emulation))
        if "buildah" not in without and shutil.which("buildah"):
            self._builders.append(Buildah(disk / "buildah", self._layouts))
        self._inside = inside
        self.names = [builder.name for builder in self._builders]

    def run(self, workload: Workload, *, rounds: int) -> Line:
        """Each builder `rounds` times, in turns, so that what disturbs one disturbs all."""
        context = self._shared / "context"
        shutil.rmtree(context, ignore_errors=True)
        workload.make(context)
        (context / "Dockerfile").write_text(workload.dockerfile)
        self._registry.start(empty=True)
        if workload.pulled:
            self._publish(workload.base)
        samples: dict[str, list[Sample]] = {name: [] for name in self.names}
        refused: dict[str, str] = {}
        for builder in self._builders:
            try:
                self._prepare(builder, workload, context)
            except CommandFailed as error:
                refused[builder.name] = str(error)
        for turn in range(rounds):
            for builder in self._builders:
                if builder.name not in refused:
                    samples[builder.name].append(self._measured(builder, workload, context, turn=turn))
        for builder in self._builders:
            builder.forget()
        return line_of(workload.name, workload.target, samples, refused)

    def _prepare(self, builder: Builder, workload: Workload, context: Path) -> None:
        builder.forget()
        builder.build(self._request(builder, workload, context))

    def _measured(self, builder: Builder, workload: Workload, context: Path, *, turn: int) -> Sample:
        if workload.start == "cold":
            builder.forget()
        if workload.output == "push" and not workload.kept:
            self._registry.start(empty=True)
        if workload.change:
            first = next(context.rglob("*.py"))
            first.write_text(first.read_text() + f"# {builder.name} {turn}\n")
        os.sync()
        fresh = workload.start == "fresh"
        return builder.build(self._request(builder, workload, context, fresh=fresh))

    def _request(
        self, builder: Builder, workload: Workload, context: Path, *, fresh: bool = False
    ) -> Request:
        archive = self._shared / f"{builder.name}.tar"
        archive.unlink(missing_ok=True)
        return Request(workload=workload, context=context, archive=archive, fresh=fresh)

    def _publish(self, name: str) -> None:
        target = f"docker://{ADDRESS}/{name}:latest"
        copy = ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false"]
        source = f"oci:{self._layouts[name]}:latest"
        subprocess.run([*self._inside, *copy, source, target], check=True)


def _layout(name: str, shared: Path) -> Path:
    made = subprocess.run(
        [sys.executable, "-m", "fixtures.bases", "path", name], capture_output=True, text=True, check=True
    )
    return Path(shutil.copytree(made.stdout.strip(), shared / name))


def _write(lines: Sequence[Line], builders: Sequence[str], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "sidebyside.json").write_bytes(msgspec.json.format(msgspec.json.encode(lines)) + b"\n")
    (out / "sidebyside.md").write_text(table(lines, builders))
    plot(lines, builders, out / "sidebyside.svg")
    print(table(lines, builders))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sidebyside", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="measured runs of each builder")
    parser.add_argument(
        "--only", action="append", default=[], help="part of the name of a workload; repeatable"
    )
    parser.add_argument("--without", action="append", default=[], help="a builder to leave out; repeatable")
    parser.add_argument(
        "--register-qemu",
        action="store_true",
        help="register QEMU with this machine's kernel for each run of BuildKit, which has no other way to run "
        "programs for linux/arm64, and take it back after it",
    )
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where the disk image goes")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where the results go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
