"""`RUN --mount` and git sources: every key, and every text that people look for when one is wrong."""

from __future__ import annotations

import pytest
from dockerfiles import last_run, message, names, target
from hypothesis import given
from hypothesis import strategies as st

from builder.graph import BindMount, CacheMount, Git, Image, SecretMount, SshMount, TmpfsMount
from frontend.dockerfile.gitref import InvalidGitSource, read_git_source
from frontend.dockerfile.mounts import InvalidMount, mount_source, read_mount


def mounts(flag: str, before: str = "") -> tuple[object, ...]:
    run = last_run(target(f"FROM busybox\n{before}\nRUN --mount={flag} x"))
    return (*run.mounts, *run.secrets)


@pytest.mark.parametrize(
    ("flag", "mount"),
    [
        ("target=/t", BindMount(input=1, target="/t")),
        ("type=BIND,dst=t,src=a/../b,rw", BindMount(input=1, target="/w/t", source="/b", writable=True)),
        ("'\"target=/a,b\"',ro=false", BindMount(input=1, target="/a,b", writable=True)),
        ("from=scratch,target=/t", BindMount(input=None, target="/t")),
        ("type=tmpfs,target=/t,size=2k", TmpfsMount(target="/t", size=2048)),
        ("type=tmpfs,target=/t,size=1.5MiB,ro", TmpfsMount(target="/t", size=3 << 19, read_only=True)),
        ("type=cache,target=/c/", CacheMount(id="//c", target="/c")),
        ("type=cache,target=$V,id=i", CacheMount(id="/i", target="/w/v")),
        (
            "type=cache,target=/c,sharing=LOCKED,uid=1,gid=2,mode=700",
            CacheMount(id="//c", target="/c", sharing="locked", uid=1, gid=2, mode=0o700),
        ),
        ("type=cache,target=/c,source=s,uid=1", CacheMount(id="//c", target="/c", source="/s")),
        ("type=secret,id=a/b", SecretMount(id="a/b", target="/run/secrets/b")),
        ("type=secret,target=/x/y", SecretMount(id="y", target="/x/y")),
        ("type=secret,id=s,env=E,target=/t,mode=4444", SecretMount(id="s", target="/t", env="E", mode=0o444)),
        ("type=secret,source=s,mode=0440,required", SecretMount(
            id="s", target="/run/secrets/s", mode=0o440, required=True
        )),
        ("type=secret,id=s,env=E", SecretMount(id="s", env="E")),
        ("type=secret,id=s,env=E,target=/f", SecretMount(id="s", env="E", target="/f")),
        ("type=ssh", SshMount(id="default", target="/run/buildkit/ssh_agent.0")),
        ("type=ssh,id=i,target=/s,uid=5,required=true", SshMount(id="i", target="/s", uid=5, required=True)),
    ],
)  # fmt: skip
def test_a_mount_means_what_its_keys_say(flag: str, mount: object) -> None:
    assert mounts(flag, "WORKDIR /w\nARG V=v") == (mount,)


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("", "failed to parse csv mounts: EOF"),
        ("type=foo,target=/t", 'unsupported mount type "foo"'),
        ("type=cach,target=/t", 'unsupported mount type "cach" (did you mean cache?)'),
        ("typ=cache", "unexpected key 'typ' in 'typ=cache' (did you mean type?)"),
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("target=/", 'invalid mount target "/"'),
        ("target=/t,ro=x", "invalid value for ro: x"),
        ("target=/t,size=1", "unexpected key 'size' for mount type 'bind'"),
        ("type=tmpfs,target=/t,size=x", "invalid value for size: x"),
        ("size=1,type=tmpfs,target=/t", "unexpected key 'size' for mount type 'bind'"),
        ("required,type=ssh", "unexpected key 'required' for mount type 'bind'"),
        ("type=cache,target=/t,mode=999", "invalid value 999 for mode"),
        ("type=cache,target=/t,uid=a", "invalid value a for uid"),
        ("target=/t,uid=1", 'uid not allowed for "bind" type mounts'),
        ("type=tmpfs,target=/t,mode=1", 'mode not allowed for "tmpfs" type mounts'),
        ("type=cache,target=/t,sharing=x", 'unsupported sharing value "x"'),
        ("target=/t,sharing=private", "invalid cache sharing set for bind mount"),
        ("type=secret,id=a,sharing=private", "secret mount should not define sharing"),
        ("type=secret,id=a,from=b", "secret mount should not have a from"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=a,source=b", "both source and id can't be set"),
        ("type=ssh,source=b", "ssh does not support source"),
        ("from=$X,target=/t", "'from' doesn't support variable expansion, define alias stage instead"),
    ],
)
def test_a_mount_that_is_wrong_says_what_is_wrong(flag: str, text: str) -> None:
    assert message(f"FROM busybox\nRUN --mount={flag} x").endswith(text)


def test_a_stage_that_is_mounted_is_built() -> None:
    built = target("FROM busybox AS Made\nRUN y\nFROM busybox\nRUN --mount=from=made,target=/m x")
    assert [name for name in names(built) if "RUN y" in name]


def test_a_later_stage_cannot_be_mounted() -> None:
    text = message("FROM busybox AS a\nRUN --mount=from=b,target=/x y\nFROM busybox AS b", target="a")
    assert 'cannot mount from stage "b" to "/x", stage needs to be defined before current command' in text


def test_an_image_that_is_mounted_is_that_of_the_target() -> None:
    built = target("FROM busybox\nRUN --mount=from=alpine,target=/m x")
    assert built.vertex is not None and isinstance(built.vertex.inputs[1].operation, Image)


def test_mounts_stand_in_the_order_of_their_targets_agents_last() -> None:
    flags = ("type=ssh,target=/a", "type=tmpfs,target=/c", "type=tmpfs,target=/b")
    words = " ".join(f"--mount={flag}" for flag in flags)
    run = last_run(target(f"FROM busybox\nRUN {words} x"))
    assert [each.target for each in run.mounts] == ["/b", "/c", "/a"]


def test_the_first_agent_is_named_by_a_variable_unless_it_is_set() -> None:
    run = last_run(target("FROM busybox\nRUN --mount=type=ssh --mount=type=ssh,id=b x"))
    assert dict(run.env)["SSH_AUTH_SOCK"] == "/run/buildkit/ssh_agent.0"
    kept = last_run(target("FROM busybox\nENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh x"))
    assert dict(kept.env)["SSH_AUTH_SOCK"] == "/mine"


@given(st.text(alphabet='type=cahbnd,"target/$rosiz0', max_size=60))
def test_any_text_is_a_mount_or_an_error(text: str) -> None:
    for read in (mount_source, lambda value: read_mount(value, str)):
        try:
            read(text)
        except InvalidMount as error:
            assert str(error)


def git(text: str, checksum: str = "", *, keep: bool | None = None) -> Git:
    return read_git_source(text, keep_git_dir=keep, checksum=checksum)


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("https://h/r.git", Git(remote="https://h/r.git")),
        ("https://h/r.git#v1:a/b", Git(remote="https://h/r.git", ref="v1", subdirectory="a/b")),
        ("git@h:r.git#:a", Git(remote="git@h:r.git", subdirectory="a")),
        (
            "https://h/r.git?branch=m&subdir=a",
            Git(remote="https://h/r.git", ref="refs/heads/m", subdirectory="a"),
        ),
        (
            "https://h/r.git?tag=v&submodules=false",
            Git(remote="https://h/r.git", ref="refs/tags/v", submodules=False),
        ),
        ("https://h/r.git?keep-git-dir", Git(remote="https://h/r.git", keep_git_dir=True)),
        ("https://h/r.git?ref=m&checksum=AB", Git(remote="https://h/r.git", ref="m", checksum="ab")),
    ],
)
def test_a_git_source_means_what_its_parts_say(text: str, operation: Git) -> None:
    assert git(text) == operation


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("?foo=1", 'unexpected query "foo"'),
        ("?ref=", 'query "ref" has no value'),
        ("?ref=a&ref=a", 'query "ref" has multiple values'),
        ("?ref=v2#v1", 'ref conflicts: "v2" vs "v1"'),
        ("?subdir=a#r:b", 'subdir conflicts: "a" vs "b"'),
        ("?branch=a&tag=b", "branch conflicts with tag"),
        ("?keep-git-dir=x", 'invalid keep-git-dir value: "x"'),
        ("?mtime=foo", 'invalid mtime value: "foo" (must be "checkout" or "commit")'),
        ("?checksum=xyz", "invalid checksum xyz for Git URL, expected hex commit hash"),
        ("?checksum=aa", 'checksum mismatch "aa" != "bb"'),
        ("?keep-git-dir=0", "inconsistent keep-git-dir configuration"),
    ],
)
def test_a_git_source_that_is_wrong_says_what_is_wrong(text: str, problem: str) -> None:
    keep = True if "keep" in problem else None
    with pytest.raises(InvalidGitSource) as raised:
        git(f"https://h/r.git{text}", "bb" if "mismatch" in problem else "", keep=keep)
    assert str(raised.value) == problem


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ("--checksum=sha256:00 a", "checksum requires HTTP(S) or Git sources"),
        ("--checksum=sha256:00 http://h/a http://h/b", "checksum can't be specified for multiple sources"),
        ("--checksum=00 http://h/a", "invalid checksum digest format"),
        ("--checksum=md5:00 http://h/a", "unsupported digest algorithm"),
        ("--checksum=sha256:00 http://h/a", "invalid checksum digest length"),
    ],
)
def test_a_checksum_that_cannot_be_used_says_why(flags: str, text: str) -> None:
    assert message(f"FROM busybox\nADD {flags} /x/") == text
