"""A table of a policy file, taken key by key; what is wrong is noted with its line, and reading goes on."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from builder.graph.location import Location, SourceFile
from builder.system.errors import DockyardError, UsageError
from exporter.attest.policy.lines import KeyPath, key_lines, written
from exporter.attest.policy.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")


class InvalidPolicy(UsageError):
    """A policy file that says what it may not; `locations` are the lines, all of them."""

    def __init__(self, message: str, locations: tuple[Location, ...] = ()) -> None:
        super().__init__(message, hint="docs/verify.md has every key")
        self.locations = locations


class Notes:
    """What is wrong with one file, in the order of its lines."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._lines = key_lines(source.text)
        self._found: list[tuple[int, str]] = []

    def add(self, path: KeyPath, message: str) -> None:
        """`message` is about what stands at `path`."""
        line = next((self._lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._lines), 1)
        self._found.append((line, f"{self._source.name}:{line}: {written(path)}: {message}"))

    def require_none(self) -> None:
        """Raises: InvalidPolicy with all that was noted."""
        if not self._found:
            return
        found = sorted(self._found)
        lines = dict.fromkeys(line for line, _ in found)
        locations = tuple(Location(self._source, line, line) for line in lines)
        raise InvalidPolicy("\n".join(message for _, message in found), locations)


class Table:
    """The keys of one table. `close` notes those that nobody took."""

    def __init__(self, content: Mapping[str, Any], path: KeyPath, notes: Notes) -> None:
        self._content = content
        self._path = path
        self._notes = notes
        self._taken: list[str] = []

    def flag(self, key: str, *, default: bool = False) -> bool:
        """`true` or `false`."""
        return self._take(key, bool, default, "must be true or false")

    def number(self, key: str, default: int) -> int:
        """A whole number that is 1 at least."""
        value = self._take(key, int, default, "must be a number")
        if isinstance(value, bool) or value < 1:
            self.note(key, "must be 1 or more")
            return default
        return value

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        return self._take(key, str, default, "must be a string")

    def parsed(self, key: str, parse: Callable[[str], _T], default: _T) -> _T:
        """A string that `parse` takes; it raises ValueError or DockyardError for others."""
        if key not in self._content:
            self._taken.append(key)
            return default
        value = self._parse((key,), self.text(key), parse)
        return default if value is None else value

    def word(self, key: str, words: Mapping[str, _T], default: _T) -> _T:
        """One of `words`."""
        return self.parsed(key, _chooser(words), default)

    def many(self, key: str, parse: Callable[[str], _T]) -> tuple[_T, ...]:
        """A list of strings that `parse` takes."""
        members = self._take(key, list, [], "must be a list of strings")
        return tuple(
            value
            for number, member in enumerate(members)
            if (value := self._parse((key, number), member, parse)) is not None
        )

    def words(self, key: str, words: Mapping[str, _T], default: tuple[_T, ...]) -> tuple[_T, ...]:
        """A list of some of `words`."""
        found = self.many(key, _chooser(words))
        return found if key in self._content else default

    def patterns(self, key: str) -> tuple[Pattern, ...]:
        """A list of patterns."""
        return self.many(key, Pattern)

    def pairs(self, key: str, parse: Callable[[str], _T]) -> dict[str, _T]:
        """A table of free keys with strings that `parse` takes."""
        members: dict[str, Any] = self._take(key, dict, {}, "must be a table")
        return {
            name: value
            for name, member in members.items()
            if (value := self._parse((key, name), member, parse)) is not None
        }

    def table(self, key: str, read: Callable[[Table], _T]) -> _T:
        """What `read` makes of the table below `key`, or of an empty one; keys that it leaves out do not exist."""
        return _read(
            Table(self._take(key, dict, {}, "must be a table"), (*self._path, key), self._notes), read
        )

    def tables(self, key: str, read: Callable[[Table], _T]) -> tuple[_T, ...]:
        """What `read` makes of each of the tables of `[[key]]`."""
        found: list[_T] = []
        for number, member in enumerate(self._take(key, list, [], "must be tables: [[...]]")):
            if isinstance(member, dict):
                found.append(_read(Table(member, (*self._path, key, number), self._notes), read))
            else:
                self._notes.add((*self._path, key, number), "must be a table")
        return tuple(found)

    def close(self) -> None:
        """Notes keys that do not exist."""
        for key in self._content:
            if key not in self._taken:
                near = difflib.get_close_matches(key, self._taken, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(self._taken)}"
                self.note(key, f"no such key; {hint}")

    @property
    def is_there(self) -> bool:
        """Whether it has any key."""
        return bool(self._content)

    def note(self, key: str, message: str) -> None:
        """`message` is about `key`."""
        self._notes.add((*self._path, key), message)

    def _take(self, key: str, kind: type[_T], default: _T, message: str) -> _T:
        self._taken.append(key)
        value = self._content.get(key, default)
        if isinstance(value, kind):
            return value
        self.note(key, message)
        return default

    def _parse(self, below: KeyPath, value: object, parse: Callable[[str], _T]) -> _T | None:
        if not isinstance(value, str):
            self._notes.add((*self._path, *below), "must be a string")
            return None
        try:
            return parse(value)
        except DockyardError as error:
            self._notes.add((*self._path, *below), error.message)
        except ValueError as error:
            self._notes.add((*self._path, *below), str(error))
        return None


def _chooser(words: Mapping[str, _T]) -> Callable[[str], _T]:
    def choose(text: str) -> _T:
        if text not in words:
            near = difflib.get_close_matches(text, words, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"must be one of {', '.join(words)}"
            raise ValueError(f"{text!r} is unknown; {hint}")
        return words[text]

    return choose


def _read(table: Table, read: Callable[[Table], _T]) -> _T:
    found = read(table)
    table.close()
    return found
