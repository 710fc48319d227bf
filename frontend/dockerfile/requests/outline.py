"""`frontend.outline`: the arguments, secrets and agents that a target and what it needs use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from frontend.dockerfile.checks.findings import Findings
from frontend.dockerfile.checks.settings import file_settings
from frontend.dockerfile.conversion.checking import check_file
from frontend.dockerfile.conversion.images import Images
from frontend.dockerfile.conversion.scene import set_scene
from frontend.dockerfile.conversion.target import convert_stages
from frontend.dockerfile.expansion import names_in
from frontend.dockerfile.mounts import InvalidMount, read_mount
from frontend.dockerfile.parse import parse
from frontend.dockerfile.requests.answer import Answer, Place, base64_text, described, encode, place, table
from frontend.dockerfile.tree import Arg, Instruction, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from frontend.definition import CheckWarning
    from frontend.dockerfile.conversion.scene import Scene
    from frontend.dockerfile.conversion.state import StageState
    from frontend.dockerfile.tree import Stage
    from frontend.options import Options
    from frontend.resolver import Resolver


class _Argument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    description: str = ""
    value: str = ""
    location: Place


class _Need(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A secret or an agent."""

    name: str
    required: bool = False
    location: Place


class _Outline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    description: str = ""
    args: tuple[_Argument, ...] = ()
    secrets: tuple[_Need, ...] = ()
    ssh: tuple[_Need, ...] = ()
    sources: tuple[str, ...]


def outline(
    text: bytes,
    options: Options,
    resolver: Resolver,
    *,
    on_warning: Callable[[CheckWarning], object] = lambda _warning: None,
) -> Answer:
    """What the target of the Dockerfile `text` may be given; `on_warning` gets what checks find.

    Raises: DockerfileError.
    """
    dockerfile = parse(options.filename, text, frontend=options.build_args.get("BUILDKIT_SYNTAX", ""))
    platform = options.platforms[0] if options.platforms else options.build_platform
    findings = Findings(file_settings(dockerfile, options.build_args))
    try:
        check_file(dockerfile, options, platform, findings)
        scene = set_scene(dockerfile, options, Images(resolver), platform, findings=findings)
        states = convert_stages(scene)
    finally:
        for warning in findings.warnings:
            on_warning(warning)
    findings.require_none()
    needed = [scene.plan.stages[index].stage for index in sorted(states)]
    target = scene.plan.stages[scene.plan.target].stage
    needs = [each for stage in needed for each in _needs(stage)]
    document = _Outline(
        name=target.name,
        description=described(target.name, target.origin.comments) if target.name else "",
        args=tuple(sorted(_arguments(scene, needed, states), key=_line)),
        secrets=_each_once(need for kind, need in needs if kind == "secret"),
        ssh=_each_once(need for kind, need in needs if kind == "ssh"),
        sources=(base64_text(dockerfile.source.text),),
    )
    return Answer(text=_shown(document), document=encode(document))


def _line(argument: _Argument) -> int:
    return argument.location.ranges[0].start.line


def _used_globally(scene: Scene, needed: Iterable[Stage]) -> set[str]:
    """The variables that FROM lines mention, directly or through defaults."""
    lines = [stage.origin for stage in needed]
    texts = [text for line in lines for text in (line.image, line.platform)]
    used = {name for text in texts for name in names_in(text, escape=scene.escape)}
    for arg in reversed(scene.dockerfile.arguments):
        for definition in reversed(arg.definitions):
            if definition.name in used and definition.default:
                used |= names_in(definition.default, escape=scene.escape)
    return used


def _arguments(
    scene: Scene, needed: Collection[Stage], states: Mapping[int, StageState]
) -> Iterator[_Argument]:
    """Those of the stages first, and the global ones where no stage has declared them again."""
    shown: set[str] = set()
    for stage in needed:
        declared = states[stage.index].declared
        for argument in _declared(stage.instructions, declared):
            if argument.name not in shown:
                shown.add(argument.name)
                yield argument
    taken = _used_globally(scene, needed)
    for argument in _declared(scene.dockerfile.arguments, scene.variables, taken):
        if argument.name not in shown:
            shown.add(argument.name)
            yield argument


def _declared(
    instructions: Iterable[Instruction], values: Mapping[str, str], used: Collection[str] | None = None
) -> Iterator[_Argument]:
    for node in instructions:
        for definition in node.definitions if isinstance(node, Arg) else ():
            if used is None or definition.name in used:
                yield _Argument(
                    name=definition.name,
                    description=described(definition.name, node.comments),
                    value=values.get(definition.name, ""),
                    location=place(node.location),
                )


def _needs(stage: Stage) -> Iterator[tuple[str, _Need]]:
    for node in stage.instructions:
        for text in node.mounts if isinstance(node, Run) else ():
            try:
                mount = read_mount(text, lambda word: word)
            except InvalidMount:
                # It is a mistake only where variables made it one, and then the conversion has said so.
                continue
            default = "default" if mount.type == "ssh" else mount.target.rpartition("/")[2]
            name = mount.id or mount.source or default
            need = _Need(name=name, required=mount.required, location=place(node.location))
            yield mount.type, need


def _each_once(needs: Iterable[_Need]) -> tuple[_Need, ...]:
    """The first mention of each name; it is required if one mention says so."""
    found: dict[str, _Need] = {}
    for need in needs:
        known = found.setdefault(need.name, need)
        if need.required:
            found[need.name] = msgspec.structs.replace(known, required=True)
    return tuple(found.values())


def _shown(document: _Outline) -> str:
    blocks: list[str] = []
    if document.name or document.description:
        rows = [("TARGET:", document.name or "default")]
        blocks.append(
            table([*rows, *([("DESCRIPTION:", document.description)] if document.description else [])], gap=1)
        )
    if document.args:
        head = ("BUILD ARG", "VALUE", "DESCRIPTION")
        blocks.append(table([head, *((each.name, each.value, each.description) for each in document.args)]))
    for title, needs in (("SECRET", document.secrets), ("SSH", document.ssh)):
        if needs:
            rows = [(each.name, "true" if each.required else "") for each in needs]
            blocks.append(table([(title, "REQUIRED"), *rows]))
    return "".join(f"{block}\n" for block in blocks)
