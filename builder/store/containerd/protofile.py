"""Reads .proto files, as much of the language as those in `api/` need.

protobuf's own compiler would do it, at the price of generated modules in the tree or of a step that every
set-up has to run, and of a bond between the compiler's release and that of the run-time library. The files
are small and ours; a test holds each of them against the real compiler. What is beyond this subset
(oneof, nested messages, options, packages within packages) is an error, never skipped.
Source: the Protocol Buffers language specification, proto3.
"""

from __future__ import annotations

import re
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

_TOKEN: Final = re.compile(r'//[^\n]*|\s+|(?P<token>"[^"\n]*"|[A-Za-z0-9_.]+|[{}()<>=;,])')
_SCALARS: Final = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}


class InvalidProto(ValueError):
    """Text outside of the subset that is read here; a mistake of ours, not of a user."""


def read_proto(name: str, text: str) -> FileDescriptorProto:
    """The descriptor of the file `name`, with type names as they are written: the pool resolves them.

    Raises: InvalidProto.
    """
    return _Reader(name, text).file()


class _Reader:
    def __init__(self, name: str, text: str) -> None:
        self._tokens = _tokens(name, text)
        self._file = FileDescriptorProto(name=name)

    def file(self) -> FileDescriptorProto:
        statements = {
            "syntax": self._syntax,
            "package": self._package,
            "import": self._import,
            "message": self._message,
            "enum": self._enum,
            "service": self._service,
        }
        while self._tokens:
            keyword = self._next()
            if keyword not in statements:
                raise InvalidProto(f"{self._file.name}: no statement begins with {keyword!r}")
            statements[keyword]()
        return self._file

    def _syntax(self) -> None:
        self._expect("=")
        self._file.syntax = self._quoted()

    def _package(self) -> None:
        self._file.package = self._next()
        self._expect(";")

    def _import(self) -> None:
        self._file.dependency.append(self._quoted())

    def _message(self) -> None:
        message = self._file.message_type.add(name=self._next())
        self._expect("{")
        while not self._accept("}"):
            self._field(message)

    def _field(self, message: DescriptorProto) -> None:
        kind = self._next()
        if kind == "map":
            self._map_field(message)
            return
        repeated = kind == "repeated"
        label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
        _type(message.field.add(label=label), self._next() if repeated else kind)
        self._name_and_number(message)

    def _map_field(self, message: DescriptorProto) -> None:
        """A map is a list of entries of a message of its own. Source: "Maps", backwards compatibility."""
        self._expect("<")
        key = self._next()
        self._expect(",")
        value = self._next()
        self._expect(">")
        field = message.field.add(label=FieldDescriptorProto.LABEL_REPEATED)
        self._name_and_number(message)
        entry = message.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        for number, (name, kind) in enumerate((("key", key), ("value", value)), start=1):
            member = entry.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            _type(member, kind)
        _type(field, f"{message.name}.{entry.name}")

    def _name_and_number(self, message: DescriptorProto) -> None:
        field = message.field[-1]
        field.name = self._next()
        field.number = self._number()

    def _enum(self) -> None:
        enum = self._file.enum_type.add(name=self._next())
        self._expect("{")
        while not self._accept("}"):
            value = enum.value.add(name=self._next())
            value.number = self._number()

    def _service(self) -> None:
        service = self._file.service.add(name=self._next())
        self._expect("{")
        while not self._accept("}"):
            self._expect("rpc")
            self._method(service.method.add(name=self._next()))

    def _method(self, method: MethodDescriptorProto) -> None:
        self._expect("(")
        method.client_streaming = self._accept("stream")
        method.input_type = self._next()
        self._expect(")")
        self._expect("returns")
        self._expect("(")
        method.server_streaming = self._accept("stream")
        method.output_type = self._next()
        self._expect(")")
        self._expect(";")

    def _number(self) -> int:
        self._expect("=")
        number = self._next()
        self._expect(";")
        return int(number)

    def _quoted(self) -> str:
        text = self._next()
        self._expect(";")
        return text.strip('"')

    def _next(self) -> str:
        if not self._tokens:
            raise InvalidProto(f"{self._file.name} ends in the middle of a statement")
        return self._tokens.pop()

    def _accept(self, wanted: str) -> bool:
        if self._tokens and self._tokens[-1] == wanted:
            self._tokens.pop()
            return True
        return False

    def _expect(self, wanted: str) -> None:
        found = self._next()
        if found != wanted:
            raise InvalidProto(f"{self._file.name}: expected {wanted!r}, found {found!r}")


def _type(field: FieldDescriptorProto, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type_name = kind


def _tokens(name: str, text: str) -> list[str]:
    """The words of `text`, the last one first."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        matched = _TOKEN.match(text, position)
        if matched is None:
            line = text.count("\n", 0, position) + 1
            raise InvalidProto(f"{name}:{line}: cannot read {text[position : position + 10]!r}")
        if matched["token"]:
            tokens.append(matched["token"])
        position = matched.end()
    return tokens[::-1]
