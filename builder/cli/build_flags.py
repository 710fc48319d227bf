"""The flags of `dockyard build`, with the names and meanings that they have in buildx.

Data only: which flags there are, their help, and the typed record of what was given.
"""

# Annotations are types here and no texts, which msgspec would have to read at every start.

from typing import Final

import click
import msgspec

from builder.progress.modes import MODES


class BuildFlags(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed, word by word; parsed further by `builder.cli.build`."""

    path: str
    file: str | None
    tag: tuple[str, ...]
    output: tuple[str, ...]
    platform: tuple[str, ...]
    target: str
    build_arg: tuple[str, ...]
    build_context: tuple[str, ...]
    label: tuple[str, ...]
    annotation: tuple[str, ...]
    secret: tuple[str, ...]
    ssh: tuple[str, ...]
    no_cache: bool
    no_cache_filter: tuple[str, ...]
    pull: bool
    cache_from: tuple[str, ...]
    cache_to: tuple[str, ...]
    load: bool
    push: bool
    network: str
    allow: tuple[str, ...]
    add_host: tuple[str, ...]
    shm_size: str | None
    ulimit: tuple[str, ...]
    cgroup_parent: str
    iidfile: str | None
    metadata_file: str | None
    progress: str
    quiet: bool
    call: str
    check: bool
    driver: str | None
    jobs: int | None
    untrusted: bool
    max_disk: str | None
    on_error: str
    partial: str
    explain: bool
    sign: tuple[str, ...]
    policy: tuple[str, ...]
    attest: tuple[str, ...]
    sbom: str | None
    provenance: str | None


def _text(*names: str, help: str, metavar: str = "TEXT", default: str | None = None) -> click.Option:  # noqa: A002 - click's
    return click.Option(list(names), metavar=metavar, default=default, help=help)


def _many(*names: str, help: str, metavar: str) -> click.Option:  # noqa: A002 - click's word
    return click.Option(list(names), metavar=metavar, multiple=True, help=help)


def _switch(*names: str, help: str) -> click.Option:  # noqa: A002 - click's word
    return click.Option(list(names), is_flag=True, help=help)


PARAMETERS: Final[tuple[click.Parameter, ...]] = (
    click.Argument(["path"], metavar="PATH|-"),
    _text("-f", "--file", metavar="PATH", help="The Dockerfile; - reads it from standard input."),
    _many("-t", "--tag", metavar="NAME", help="Name of the image, NAME[:TAG]; may be repeated."),
    _many(
        "-o",
        "--output",
        metavar="SPEC",
        help="Where the result goes: a directory, or type=image|registry|oci|docker|local|tar|cacheonly[,...].",
    ),
    _many("--platform", metavar="LIST", help="Platforms to build for: linux/amd64,linux/arm64."),
    _text("--target", metavar="STAGE", default="", help="Stop at this stage."),
    _many("--build-arg", metavar="NAME[=VALUE]", help="Value of an ARG; without =, from the environment."),
    _many(
        "--build-context",
        metavar="NAME=PATH",
        help="A directory or oci-layout://PATH that FROM and --from name.",
    ),
    _many("--label", metavar="NAME=VALUE", help="Label of the image."),
    _many("--annotation", metavar="NAME=VALUE", help="Annotation of the image."),
    _many("--secret", metavar="SPEC", help="A secret for RUN --mount: id=NAME[,src=PATH|,env=VARIABLE]."),
    _many("--ssh", metavar="default|ID[=SOCKET]", help="An SSH agent for RUN --mount."),
    _switch("--no-cache", help="Do every step again."),
    _many("--no-cache-filter", metavar="STAGES", help="Do the steps of these stages again."),
    _switch("--pull", help="Ask for newer base images."),
    _switch("--load", help="Load the image into the Docker Engine; without one keep it in the store."),
    _switch("--push", help="Send the image to its registry."),
    _text("--network", metavar="MODE", default="default", help="Network of RUN: default, none or host."),
    _many("--allow", metavar="NAME", help="Grant an entitlement: network.host, security.insecure."),
    _many("--add-host", metavar="NAME:ADDRESS", help="A line of /etc/hosts for RUN."),
    _text("--shm-size", metavar="SIZE", help="Size of /dev/shm for RUN."),
    _many("--ulimit", metavar="NAME=SOFT[:HARD]", help="Resource limit for RUN."),
    _text("--cgroup-parent", metavar="PATH", default="", help="Parent cgroup for RUN."),
    _text("--iidfile", metavar="PATH", help="Write the image's ID to this file."),
    _text("--metadata-file", metavar="PATH", help="Write a JSON object about the result to this file."),
    _text("--progress", metavar="|".join(MODES), default="auto", help="How progress is shown."),
    _switch("-q", "--quiet", help="Show no progress, print the image's ID."),
    click.Option(
        ["--driver"],
        type=click.Choice(["containerd", "docker", "classic"]),
        help="The image store to write to.",
    ),
    _switch("--explain", help="Say why steps ran again, compared with the build before."),
    click.Option(["--jobs"], type=click.IntRange(min=1), metavar="N", help="Steps that run at once at most."),
    click.Option(
        ["--on-error"],
        type=click.Choice(["stop", "continue"]),
        default="stop",
        help="At a failure stop, or build the platforms that do not need what failed.",
    ),
    click.Option(
        ["--partial"],
        type=click.Choice(["refuse", "allow"]),
        default="refuse",
        help="Whether the platforms that were built are delivered without those that failed.",
    ),
    click.Option(
        ["--max-disk"],
        metavar="SIZE",
        envvar="DOCKYARD_MAX_DISK",
        help="What the state root may take; the cache makes room for steps.",
    ),
    _switch("--untrusted", help="Let cache mounts be read, and keep nothing that is written to them."),
    _many("--sign", metavar="key=FILE|env://VAR", help="Sign the image with this key; may be repeated."),
    _many(
        "--cache-from",
        metavar="SPEC",
        help="Take cache from NAME, or type=registry|local|gha|s3[,NAME=VALUE...].",
    ),
    _many(
        "--cache-to",
        metavar="SPEC",
        help="Leave cache at NAME, or type=inline|registry|local|gha|s3[,mode=max][,NAME=VALUE...].",
    ),
    _many("--policy", metavar="FILE", help="Rules for what the build starts from (TOML); may be repeated."),
    _many("--attest", metavar="SPEC", help="An attestation: type=provenance|sbom[,NAME=VALUE...]."),
    _text("--sbom", metavar="SPEC", help="List what is in the result: true, false, or NAME=VALUE,..."),
    _text(
        "--provenance",
        metavar="SPEC",
        help="Say how the result was made: true, false, min, max, or NAME=VALUE,...",
    ),
    _text(
        "--call",
        metavar="WORD",
        default="build",
        help="A question instead of a build: check, outline or targets[,format=json].",
    ),
    _switch("--check", help="Check the Dockerfile instead of building it, as --call=check."),
)
