"""Which servers answer for a registry: the rules of Docker, and the files of containerd."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.registry.errors import InvalidConfiguration
from builder.registry.hosts import ALL, Host, Tls, host_directories, hosts_of, is_loopback
from builder.registry.limits import Limits
from builder.registry.wire import Wire


def write(directory: Path, text: str, *, name: str = "hosts.toml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    return directory


def test_docker_hub_has_a_server_of_another_name() -> None:
    assert hosts_of("docker.io", ()) == (Host(url="https://registry-1.docker.io/v2"),)


def test_any_other_registry_is_its_own_server_over_tls() -> None:
    assert hosts_of("reg.example:5000", ()) == (Host(url="https://reg.example:5000/v2"),)


@pytest.mark.parametrize(
    "name", ["localhost", "localhost:5000", "127.0.0.1", "127.9.9.9:80", "[::1]:5000", "a.localhost"]
)
def test_this_machine_may_do_without_certificates(name: str) -> None:
    (host,) = hosts_of(name, ())
    assert (host.plain_fallback, host.tls.verify) == (True, False)


@pytest.mark.parametrize(
    "name", ["128.0.0.1:5000", "localhost.example", "10.0.0.1", "127.0.0.1.example", "[::2]:5000"]
)
def test_no_other_machine_may_do_without_certificates(name: str) -> None:
    assert not is_loopback(name)
    (host,) = hosts_of(name, ())
    assert (host.plain_fallback, host.tls.verify) == (False, True)


def test_an_insecure_registry_must_be_called_so() -> None:
    (host,) = hosts_of("reg.example", (), insecure=True)
    assert (host.plain_fallback, host.tls.verify) == (True, False)


def test_mirrors_come_in_the_order_of_the_file_and_the_server_last(tmp_path: Path) -> None:
    write(
        tmp_path / "docker.io",
        """
        server = "https://registry-1.docker.io"
        [host."https://second.example:5000/sub"]
          capabilities = ["pull"]
        [host."http://first.example"]
          capabilities = ["pull", "resolve"]
          override_path = true
        """,
    )

    second, first, server = hosts_of("docker.io", (tmp_path,))

    assert second == Host(
        url="https://second.example:5000/sub/v2", capabilities=frozenset({"pull"}), mirror=True
    )
    assert first == Host(url="http://first.example", capabilities=frozenset({"pull", "resolve"}), mirror=True)
    assert server == Host(url="https://registry-1.docker.io/v2")


def test_everything_that_can_be_said_of_a_host_is_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "reg.example",
        """
        [host."https://mirror.example"]
          ca = ["one.pem", "/etc/two.pem"]
          client = [["ours.cert", "ours.key"]]
          skip_verify = true
          dial_timeout = "500ms"
          [host."https://mirror.example".header]
            X-Dragonfly-Registry = "https://reg.example"
            x-team = ["build", "test"]
        """,
    )

    mirror, _ = hosts_of("reg.example", (tmp_path,))

    assert mirror.tls == Tls(
        authorities=(folder / "one.pem", Path("/etc/two.pem")),
        clients=((folder / "ours.cert", folder / "ours.key"),),
        verify=False,
    )
    assert mirror.headers == (("X-Dragonfly-Registry", "https://reg.example"), ("x-team", "build, test"))
    assert mirror.dial_seconds == 0.5


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ('"one"', (("one", None),)),
        ('["a", "b"]', (("a", None), ("b", None))),
        ('[["a", ""]]', (("a", None),)),
    ],
)
def test_client_certificates_have_three_spellings(
    tmp_path: Path, client: str, expected: tuple[tuple[str, str | None], ...]
) -> None:
    folder = write(tmp_path / "r.example", f"client = {client}\n")

    (host,) = hosts_of("r.example", (tmp_path,))
    found = tuple((cert.name, key.name if key else None) for cert, key in host.tls.clients)
    assert found == expected
    assert host.tls.clients[0][0].parent == folder


def test_a_file_without_a_server_leaves_the_origin_all_its_capabilities(tmp_path: Path) -> None:
    write(tmp_path / "reg.example", 'capabilities = ["pull"]\nskip_verify = true\n')

    (host,) = hosts_of("reg.example", (tmp_path,))
    assert (host.capabilities, host.tls.verify, host.mirror) == (ALL, False, False)


def test_a_plain_address_with_tls_settings_is_tried_with_tls_first(tmp_path: Path) -> None:
    write(tmp_path / "reg.example", '[host."http://m.example"]\nskip_verify = true\n')

    mirror, _ = hosts_of("reg.example", (tmp_path,))
    assert (mirror.url, mirror.plain_fallback) == ("https://m.example/v2", True)


@pytest.mark.parametrize("folder", ["reg.example_5000_", "reg.example:5000", "_default"])
def test_the_folder_of_a_registry_has_three_names(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder, '[host."https://m.example"]\n')

    assert hosts_of("reg.example:5000", (tmp_path,))[0].url == "https://m.example/v2"


def test_the_first_folder_that_says_something_is_used_alone(tmp_path: Path) -> None:
    write(tmp_path / "a" / "_default", '[host."https://a.example"]\n')
    write(tmp_path / "b" / "reg.example", '[host."https://b.example"]\n')

    urls = [host.url for host in hosts_of("reg.example", (tmp_path / "a", tmp_path / "b"))]
    assert urls == ["https://a.example/v2", "https://reg.example/v2"]


def test_bare_certificate_files_are_read_as_docker_reads_them(tmp_path: Path) -> None:
    folder = write(tmp_path / "reg.example", "", name="ca.crt")
    for name in ("client.cert", "client.key"):
        write(folder, "", name=name)

    (host,) = hosts_of("reg.example", (tmp_path,))
    assert host.tls == Tls(
        authorities=(folder / "ca.crt",), clients=((folder / "client.cert", folder / "client.key"),)
    )


def test_a_certificate_without_its_key_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "reg.example", "", name="client.cert")

    with pytest.raises(InvalidConfiguration, match=r"client\.key"):
        hosts_of("reg.example", (tmp_path,))


@pytest.mark.parametrize(
    "text",
    [
        "this is no toml",
        'capabilities = ["fly"]',
        '[host."ftp://x"]',
        '[host."https://user:pass@x"]',
        '[host."https://x:port"]',
        'server = "https://"',
        'dial_timeout = "soon"',
        "client = [[]]",
        "skip_verify = 1",
        "\udcff",
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_and_not_ignored(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "reg.example"
    folder.mkdir()
    (folder / "hosts.toml").write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(InvalidConfiguration, match=r"hosts\.toml"):
        hosts_of("reg.example", (tmp_path,))


@given(st.text())
def test_no_text_makes_reading_a_file_fail_in_another_way(text: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        (Path(folder) / "_default").mkdir()
        (Path(folder) / "_default" / "hosts.toml").write_bytes(text.encode(errors="replace"))
        with contextlib.suppress(InvalidConfiguration):
            assert hosts_of("reg.example", (Path(folder),))


def test_an_authority_that_is_not_there_is_named(tmp_path: Path) -> None:
    host = Host(url="https://x/v2", tls=Tls(authorities=(tmp_path / "gone.pem",)))

    with pytest.raises(InvalidConfiguration, match=r"gone\.pem"):
        Wire(host, Limits()).send("GET", "https://x/v2/", {})


def test_a_certificate_of_ours_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.cert").write_text("nonsense")
    host = Host(url="https://x/v2", tls=Tls(clients=((tmp_path / "bad.cert", None),)))

    with pytest.raises(InvalidConfiguration, match=r"bad\.cert"):
        Wire(host, Limits()).send("GET", "https://x/v2/", {})


def test_folders_are_those_of_the_variable_or_the_usual_ones() -> None:
    assert host_directories({"DOCKYARD_HOSTS_DIR": "/a:/b"}) == (Path("/a"), Path("/b"))
    assert host_directories({"HOME": "/home/ann"})[:2] == (
        Path("/home/ann/.config/dockyard/certs.d"),
        Path("/etc/dockyard/certs.d"),
    )
