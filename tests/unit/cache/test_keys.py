"""Cache keys: what makes two steps the same work, and what does not."""

from __future__ import annotations

import msgspec
import pytest

from builder.cache.keys import EMPTY, exec_key, file_definition_key, file_key, image_key, merge_key
from builder.graph import Copy, Exec, File, Image, MakeDirectory, Merge, Owner
from builder.oci.digest import Digest
from builder.platforms import Platform

AMD64 = Platform("linux", "amd64")
BASE, OTHER = Digest.of(b"base"), Digest.of(b"other")
RUN = Exec(base=0, args=("make",), env=(("A", "1"),), platform=AMD64)
COPY = Copy(input=1, sources=("/src/file",), destination="/app/")
FILE = File(base=0, actions=(COPY,))


def image(reference: str = "a", diff_ids: tuple[Digest, ...] = (BASE,), platform: Platform = AMD64) -> Image:
    return Image(
        reference=reference, digest=Digest.of(reference.encode()), diff_ids=diff_ids, platform=platform
    )


def test_an_image_counts_by_its_layers_not_by_its_name_or_compression() -> None:
    assert image_key(image("a")) == image_key(image("b"))


def test_an_image_with_other_layers_has_another_key() -> None:
    assert image_key(image()) != image_key(image(diff_ids=(BASE, OTHER)))


def test_an_image_without_layers_is_the_empty_file_system() -> None:
    assert image_key(image(diff_ids=())) == EMPTY


@pytest.mark.parametrize(
    "changed",
    [
        {"args": ("make", "all")},
        {"env": (("A", "2"),)},
        {"cwd": "/x"},
        {"user": "1"},
        {"network": "none"},
        {"platform": Platform("linux", "arm64")},
        {"extra_hosts": (("h", "1.1.1.1"),)},
        {"shm_size": 1},
        {"hostname": "h"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_everything_that_a_command_can_see_changes_its_key(changed: dict[str, object]) -> None:
    assert exec_key(RUN, BASE) != exec_key(msgspec.structs.replace(RUN, **changed), BASE)


def test_a_command_on_another_file_system_has_another_key() -> None:
    assert exec_key(RUN, BASE) != exec_key(RUN, OTHER)


@pytest.mark.parametrize("value", ["http://user:secret@proxy", "x"])
def test_proxies_never_change_a_key(value: str) -> None:
    proxied = msgspec.structs.replace(RUN, proxy_env=(("http_proxy", value),))
    assert exec_key(proxied, BASE) == exec_key(RUN, BASE)


def test_a_copy_counts_by_its_content_not_by_where_it_comes_from() -> None:
    moved = msgspec.structs.replace(COPY, sources=("/other/file",), input=2)
    assert file_key(FILE, BASE, OTHER) == file_key(File(base=0, actions=(moved,)), BASE, OTHER)


@pytest.mark.parametrize(
    "changed",
    [{"destination": "/other/"}, {"mode": 0o600}, {"mode": "u+x"}, {"owner": Owner(1)}, {"unpack": True}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_a_copy_does_changes_its_key(changed: dict[str, object]) -> None:
    other = File(base=0, actions=(msgspec.structs.replace(COPY, **changed),))
    assert file_key(FILE, BASE, OTHER) != file_key(other, BASE, OTHER)


def test_changed_content_changes_the_key_of_a_copy() -> None:
    assert file_key(FILE, BASE, OTHER) != file_key(FILE, BASE, BASE)


def test_a_definition_key_knows_the_paths_that_the_key_forgets() -> None:
    moved = File(base=0, actions=(msgspec.structs.replace(COPY, sources=("/other",)),))
    assert file_definition_key(FILE, [BASE, OTHER]) != file_definition_key(moved, [BASE, OTHER])


def test_a_directory_with_another_owner_is_other_work() -> None:
    one, two = (File(base=0, actions=(MakeDirectory(path="/w", owner=Owner(uid)),)) for uid in (0, 1))
    assert file_key(one, BASE, None) != file_key(two, BASE, None)


def test_the_order_of_merged_stacks_matters() -> None:
    assert merge_key(Merge(), [BASE, OTHER]) != merge_key(Merge(), [OTHER, BASE])
