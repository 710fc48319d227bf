"""`dockyard images --filter`: which images the list shows.

Filters of one kind that are given several times: any `reference` and every `label` must fit.
Source: Docker's command line reference, `docker image ls`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.cli.image_names import find_image
from builder.cli.image_rows import created
from builder.graph.globs import compile_patterns, tokenize
from builder.oci.reference import InvalidReference, parse_reference
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from builder.store.facts import ListedImage
    from builder.store.protocol import ImageStore

    Test = Callable[[ListedImage], bool]

_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_KINDS: Final = ("before", "dangling", "label", "reference", "since")


def select(
    listed: Sequence[ListedImage], filters: Iterable[str], repository: str | None, images: ImageStore
) -> list[ListedImage]:
    """The images that fit all `filters`, words like `label=NAME`, and the pattern `repository`.

    `images` finds those that `before` and `since` name. Raises: UsageError, ImageNotFound, PatternError.
    """
    references = [repository] if repository else []
    tests: list[Test] = []
    for word in filters:
        kind, separator, value = word.partition("=")
        if not separator or kind not in _KINDS:
            raise UsageError(f"invalid filter {word!r}", hint=f"there are: {'=, '.join(_KINDS)}=")
        if kind == "reference":
            references.append(value)
        else:
            tests.append(_test(kind, value, listed, images))
    if references:
        tests.append(_reference_test(references))
    return [each for each in listed if all(test(each) for test in tests)]


def _test(kind: str, value: str, listed: Sequence[ListedImage], images: ImageStore) -> Test:
    match kind:
        case "dangling":
            if value not in _TRUTHS:
                raise UsageError(f"invalid filter 'dangling={value}'", hint="it is true or false")
            return lambda each: each.image.is_nameless == _TRUTHS[value]
        case "label":
            name, separator, wanted = value.partition("=")
            return lambda each: (
                name in each.facts.labels and (not separator or each.facts.labels[name] == wanted)
            )
    target = find_image(images, value).target.digest
    moment = next(created(each) for each in listed if each.image.target.digest == target)
    if kind == "before":
        return lambda each: created(each) < moment
    return lambda each: created(each) > moment


def _reference_test(patterns: Sequence[str]) -> Test:
    matches = compile_patterns([tokenize(pattern) for pattern in patterns])

    def test(each: ListedImage) -> bool:
        try:
            name = parse_reference(each.image.name)
        except InvalidReference:
            return False
        bare = name.familiar.removesuffix(f"@{name.digest}").removesuffix(f":{name.tag}")
        return not each.image.is_nameless and bool(matches(name.familiar) or matches(bare))

    return test
