"""Runs a parsed template on maps, lists, text, numbers and truths.

Go finds a field by the name that a Go program gave it; values here have the names of JSON. `.RootFS.DiffIDs` thus
means `rootfs.diff_ids`: capitals, `_` and `.` make no difference where the name as it is does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from builder.cli.gotemplate.functions import FUNCTIONS, printed
from builder.cli.gotemplate.parse import (
    Block,
    InvalidTemplate,
    Literal,
    Pipeline,
    Show,
    Text,
    parse,
)

if TYPE_CHECKING:
    from builder.cli.gotemplate.parse import Call, Node, Operand

_NOTHING: Final = object()


def render(template: str, value: Mapping[str, object], *, kind: str) -> str:
    """The text that `template` makes of `value`, which is called `kind` in errors.

    A field that `value` itself lacks is an error; deeper down, where documents leave out what is empty, it is
    nothing. Raises: InvalidTemplate, and what reading a lazy value raises.
    """
    return _Run(value, kind).nodes(parse(template), value, {"$": value})


class _Run:
    def __init__(self, root: Mapping[str, object], kind: str) -> None:
        self._root = root
        self._kind = kind

    def nodes(self, nodes: Sequence[Node], dot: object, variables: dict[str, object]) -> str:
        return "".join(self._node(node, dot, variables) for node in nodes)

    def _node(self, node: Node, dot: object, variables: dict[str, object]) -> str:
        match node:
            case Text():
                return node.text
            case Block():
                return self._block(node, dot, variables)
            case Show():
                value = self._pipeline(node.pipeline, dot, variables)
                if not node.variable:
                    return printed(value)
                variables[node.variable] = value
        return ""

    def _block(self, block: Block, dot: object, variables: dict[str, object]) -> str:
        value = self._pipeline(block.pipeline, dot, variables)
        if not value:
            return self.nodes(block.otherwise, dot, {**variables})
        if block.kind != "range":
            inner = {**variables, **dict.fromkeys(block.names, value)}
            return self.nodes(block.body, value if block.kind == "with" else dot, inner)
        made = []
        for key, each in _pairs(value):
            # One variable is the element, two are key and element.
            named = dict(zip(block.names, (each,) if len(block.names) == 1 else (key, each), strict=False))
            made.append(self.nodes(block.body, each, {**variables, **named}))
        return "".join(made)

    def _pipeline(self, pipeline: Pipeline, dot: object, variables: dict[str, object]) -> object:
        value: object = _NOTHING
        for call in pipeline.calls:
            value = self._call(call, value, dot, variables)
        return value

    def _call(self, call: Call, last: object, dot: object, variables: dict[str, object]) -> object:
        arguments = [self._operand(each, dot, variables) for each in call.arguments]
        if call.function is None:
            return arguments[0]
        if call.function not in FUNCTIONS:
            raise InvalidTemplate(f'template parsing error: function "{call.function}" not defined')
        if last is not _NOTHING:
            arguments.append(last)
        try:
            return FUNCTIONS[call.function](*arguments)
        except (TypeError, ValueError, LookupError) as error:
            raise InvalidTemplate(f"template: error calling {call.function}: {error}") from error

    def _operand(self, operand: Operand, dot: object, variables: dict[str, object]) -> object:
        match operand:
            case Literal():
                return operand.value
            case Pipeline():
                return self._pipeline(operand, dot, variables)
        value = self._origin(operand.of, dot, variables)
        for name in operand.names:
            value = self._field(value, name)
        return value

    def _origin(self, of: str | Pipeline, dot: object, variables: dict[str, object]) -> object:
        if isinstance(of, Pipeline):
            return self._pipeline(of, dot, variables)
        if of and of not in variables:
            raise InvalidTemplate(f'template parsing error: undefined variable "{of}"')
        return variables[of] if of else dot

    def _field(self, value: object, name: str) -> object:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise InvalidTemplate(f"template: can't evaluate field {name} in {printed(value)[:100]!r}")
        if name in value:
            return value[name]
        plain = _plain(name)
        found = next((key for key in value if _plain(key) == plain), None)
        if found is None and value is self._root:
            raise InvalidTemplate(f"template: can't evaluate field {name} in type {self._kind}")
        return None if found is None else value[found]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(".", "")


def _pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(enumerate(value))
    raise InvalidTemplate(f"template: range can't iterate over {printed(value)[:100]}")
