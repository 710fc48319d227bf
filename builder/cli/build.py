"""`dockyard build`: a thin skin over `builder.api.build`, with progress, result files and interrupts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from builder.cli import build_values as values
from builder.cli import session_values
from builder.cli.attest_values import (
    metadata_provenance,
    requested_attestations,
    vcs_options,
    with_artifact_form,
)
from builder.cli.build_flags import PARAMETERS, BuildFlags
from builder.cli.call import answer, read_call
from builder.cli.policy_values import read_policies
from builder.cli.report import FAILED, INTERRUPTED, print_error, print_line
from builder.cli.signing_values import signing_options
from builder.cli.standard_input import read_standard_input
from builder.progress.modes import choose_mode, open_renderer
from builder.progress.renderer import Display
from builder.system.errors import Cancelled, DockyardError, Unsupported, UsageError
from builder.system.quantities import parse_size
from builder.system.rights import require_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.api.options import BuildOptions, BuildResult
    from builder.cache.remote.places import CacheExport, ImportPlace
    from builder.cli.settings import Settings
    from builder.progress.modes import Mode
    from exporter.outputs import Output

_NO_CONTEXT: Final = "failed to build: unable to prepare context: "
_FAILED_TO_SOLVE: Final = "failed to build: failed to solve: "


@click.command("build", params=list(PARAMETERS))
@click.pass_obj
def command(settings: Settings, /, **words: object) -> int:
    """Build an image from a Dockerfile.

    PATH is what COPY and ADD see: a directory, a tar file, a URL or a git repository. With - a tar file, or a
    Dockerfile without any files, is read from standard input.
    """
    flags = msgspec.convert(words, BuildFlags)
    mode = _mode(flags)
    options = read_options(flags, settings)
    call = read_call(flags.call, check=flags.check)
    require_root("build")
    try:
        _require_context(options)
        if call is not None:
            return answer(call, options, mode, settings)
        result = _build(options, mode, settings)
        if flags.explain:
            _explain(settings, result.number)
    except UsageError:
        raise
    except DockyardError as error:
        code = report_failure(error, mode, settings)
        if flags.explain and _is_step(error):
            # The build is remembered as far as it came.
            _explain(settings)
        return code
    except KeyboardInterrupt:
        return report_failure(Cancelled(), mode, settings)
    _deliver(result, flags, mode, options.outputs)
    if result.failures:
        from builder.cli.platform_failures import report_partial

        return report_partial(result, debug=settings.debug)
    return 0


def read_options(flags: BuildFlags, settings: Settings) -> BuildOptions:
    """What the flags, the environment and standard input ask for.

    Raises: UsageError for the first flag that is wrong.
    """
    from builder.api.options import BuildOptions
    from builder.store.selection import environment_address

    attestations = requested_attestations(flags, os.environ)
    arguments = values.build_arguments(flags.build_arg, os.environ)
    caches = _caches(flags, arguments)
    standard_input = read_standard_input(flags.path, flags.file)
    return BuildOptions(
        context=None if flags.path == "-" else flags.path,
        context_stream=standard_input.archive,
        dockerfile=None if flags.file == "-" else flags.file,
        dockerfile_text=standard_input.dockerfile,
        build_contexts=values.build_contexts(flags.build_context),
        platforms=values.comma_separated(flags.platform),
        target=flags.target,
        build_args=arguments,
        labels=values.assignments("--label", flags.label),
        annotations=values.assignments("--annotation", flags.annotation),
        secrets=session_values.secrets(flags.secret, os.environ),
        agents=session_values.agents(values.agent_words(flags.ssh, flags.path, os.environ), os.environ),
        tags=flags.tag,
        outputs=with_artifact_form(_outputs(flags), os.environ),
        driver=flags.driver,
        root=settings.root,
        containerd=environment_address(os.environ),
        no_cache=flags.no_cache,
        no_cache_filter=values.comma_separated(flags.no_cache_filter),
        pull=flags.pull,
        cache_from=caches[0],
        cache_to=caches[1],
        jobs=flags.jobs,
        mount_scope=values.mount_scope(os.environ),
        trusted=not flags.untrusted,
        max_disk=parse_size("--max-disk", flags.max_disk) if flags.max_disk else None,
        on_error="continue" if flags.on_error == "continue" else "stop",
        partial="allow" if flags.partial == "allow" else "refuse",
        unpack_limits=values.unpack_limits(os.environ),
        network=values.network(flags.network),
        allow=values.entitlements(flags.allow),
        extra_hosts=values.extra_hosts(flags.add_host),
        shm_size=parse_size("--shm-size", flags.shm_size) if flags.shm_size else 0,
        ulimits=values.ulimits(flags.ulimit),
        cgroup_parent=flags.cgroup_parent,
        signing=signing_options(flags.sign, os.environ),
        provenance=attestations.provenance,
        sbom=attestations.sbom,
        metadata_provenance=metadata_provenance(os.environ) if flags.metadata_file else None,
        vcs=vcs_options(os.environ),
        policies=read_policies(flags.policy),
    )


def _caches(
    flags: BuildFlags, arguments: Mapping[str, str]
) -> tuple[tuple[ImportPlace, ...], tuple[CacheExport, ...]]:
    """Where cache comes from, and where it goes to."""
    if not (flags.cache_from or flags.cache_to or "BUILDKIT_INLINE_CACHE" in arguments):
        return (), ()
    from builder.cli.cache_values import cache_exports, cache_imports

    return cache_imports(flags.cache_from, os.environ), cache_exports(flags.cache_to, arguments, os.environ)


def _mode(flags: BuildFlags) -> Mode:
    if not flags.quiet:
        return choose_mode(flags.progress, os.environ, is_terminal=sys.stderr.isatty())
    if flags.progress not in ("auto", "quiet"):
        raise UsageError(f"progress={flags.progress} and quiet cannot be used together")
    return "quiet"


def _outputs(flags: BuildFlags) -> tuple[Output, ...]:
    if not (flags.output or flags.load or flags.push):
        return ()
    from exporter.outputspec import parse_output, with_load, with_push

    try:
        outputs = tuple(map(parse_output, flags.output))
    except Unsupported as error:
        raise UsageError(error.message, hint=error.hint) from error
    outputs = with_push(outputs) if flags.push else outputs
    return with_load(outputs) if flags.load else outputs


def _require_context(options: BuildOptions) -> None:
    if options.context is None or Path(options.context).is_dir():
        return
    from builder.api.loadedcontexts import require_context

    require_context(options.context)


def _build(options: BuildOptions, mode: Mode, settings: Settings) -> BuildResult:
    from builder.api import build

    if mode in ("quiet", "none"):
        return build(options)
    with Display(open_renderer(mode, sys.stderr, debug=settings.debug)) as display:
        return build(options, on_event=display)


def _is_step(error: DockyardError) -> bool:
    from builder.solver.errors import StepFailed

    return isinstance(error, StepFailed)


def _explain(settings: Settings, number: int | None = None) -> None:
    from builder.api.remembering import explain_build
    from builder.cli.explanation import as_text

    print_line(as_text(explain_build(settings.root, number)))


def report_failure(error: DockyardError, mode: Mode, settings: Settings) -> int:
    """Says why there is no result, in the words of buildx; returns the exit code."""
    if isinstance(error, Cancelled):
        print_line(f"ERROR: {_FAILED_TO_SOLVE}Canceled: context canceled")
        return INTERRUPTED
    if _is_refusal(error):
        if mode in ("plain", "tty"):
            print_line("[+] Building 0.0s (0/0)")
        print_error(error, debug=settings.debug)
        return FAILED
    from builder.cli.platform_failures import print_failures
    from builder.source.errors import ContextNotFound

    print_failures(getattr(error, "failures", ()), debug=settings.debug)
    prefix = _NO_CONTEXT if isinstance(error, ContextNotFound) else _FAILED_TO_SOLVE
    return print_error(error, prefix=prefix, debug=settings.debug)


def _is_refusal(error: DockyardError) -> bool:
    """Whether the image store cannot hold what was asked for, which is known before any work starts."""
    from builder.store.errors import DriverError

    return isinstance(error, DriverError)


def _deliver(result: BuildResult, flags: BuildFlags, mode: Mode, outputs: tuple[Output, ...]) -> None:
    from builder.cli.result_files import image_id, metadata, write_result
    from exporter.outputs import writes_to_stdout

    if flags.iidfile:
        write_result(flags.iidfile, image_id(result).encode())
    if flags.metadata_file:
        write_result(flags.metadata_file, metadata(result))
    if mode == "quiet" and (named := image_id(result)) and not any(map(writes_to_stdout, outputs)):
        click.echo(named)
