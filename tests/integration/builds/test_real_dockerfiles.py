"""Dockerfiles of the shapes that people write: built as they are, on stand-ins for the images they build on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from building import Image, Project, read_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[..., Image]

pytestmark = pytest.mark.root

REAL: Final = Path(__file__).parents[3] / "fixtures/real"
STAND_INS: Final = {
    "python:3.12-slim": "python",
    "node:20-alpine": "node",
    "golang:1.22-alpine": "golang",
    "nginx:1.27-alpine": "nginx",
    "gcr.io/distroless/static-debian12:nonroot": "static",
}


@pytest.fixture
def build(tmp_path: Path, dockyard_root: Path, busybox_layout: Path) -> Build:
    """Builds the project of a name, for one of the platforms that are asked for: the last one."""

    def built(name: str, *options: str, platform: str = "") -> Image:
        context = tmp_path / name
        shutil.copytree(REAL / name, context)
        project = Project(context, dockyard_root, busybox_layout)
        text = (context / "Dockerfile").read_text()
        for reference, target in STAND_INS.items():
            if reference.partition(":")[0].rpartition("/")[2] in text:
                options = (
                    *options,
                    "--build-context",
                    f"{reference}=oci-layout://{_stand_in(project, target)}",
                )
        archive = tmp_path / "image.tar"
        project.built(None, "-o", f"type=oci,dest={archive}", *options)
        return read_archive(archive, platform)

    return built


def _stand_in(project: Project, target: str) -> Path:
    layout = project.context.parent / f"stand-in-{target}"
    made = project.dockyard(
        "build", "--build-context", f"busybox=oci-layout://{project.busybox}", "--target", target,
        "--platform", "linux/amd64,linux/arm64" if target == "static" else "linux/amd64",
        "-o", f"type=oci,dest={layout},tar=false", str(REAL / "stand-ins"),
    )  # fmt: skip
    assert made.code == 0, made.err
    return layout


def test_a_python_service_has_its_packages_and_none_of_its_caches(build: Build) -> None:
    image = build("python")
    config = image.config["config"]
    assert image.text("venv/lib/flask/VERSION") == "flask==3.0.3\n"
    assert {path for path in image.files if path.startswith("app/")} == {
        "app/app", "app/app/__init__.py", "app/app/keep.pyc", "app/requirements.txt",
    }  # fmt: skip
    assert (image.files["app/app"].uid, config["User"]) == (10001, "appuser")
    assert any(each.startswith("PATH=/venv/bin:/usr/local/sbin:") for each in config["Env"])
    assert config["Healthcheck"]["Interval"] == 30 * 10**9 and config["Healthcheck"]["Retries"] == 5
    assert not [path for path in image.files if ".cache" in path or path.startswith("var/cache")]


def test_a_node_service_keeps_what_production_needs(build: Build) -> None:
    image = build("node")
    assert image.text("app/dist/server.js") == "serve();\n"
    assert "app/node_modules/express/index.js" in image.files
    assert "app/node_modules/eslint" not in image.files and "app/src" not in image.files
    owner = image.files["app/dist/server.js"]
    assert (owner.uid, owner.gid) == (1001, 1001)
    assert image.config["config"]["Env"][-2:] == ["NODE_ENV=production", "PORT=3000"]
    assert image.config["config"].get("Entrypoint") == ["docker-entrypoint.sh"]


def test_a_go_program_is_compiled_here_for_each_platform(build: Build) -> None:
    platforms = "linux/amd64,linux/arm64"
    image = build("go", "--platform", platforms, platform="linux/arm64")
    assert image.text("bin/server") == "linux/arm64 cgo=0 ./cmd/app\n"
    assert image.config["architecture"] == "arm64"
    assert image.config["config"]["User"] == "65532:65532"
    assert image.config["config"]["Entrypoint"] == ["/bin/server"]


def test_a_site_on_nginx_takes_the_place_of_the_one_that_was_there(build: Build) -> None:
    image = build("nginx")
    assert image.text("usr/share/nginx/html/index.html") == "<p>hi</p>\n"
    assert image.files["usr/share/nginx/html/index.html"].mode == 0o644
    assert "try_files $uri $uri/ /index.html;" in image.text("etc/nginx/conf.d/default.conf")
    assert image.files["var/log/nginx/access.log"].linkname == "/dev/stdout"
    config = image.config["config"]
    assert (config["StopSignal"], sorted(config["ExposedPorts"])) == ("SIGQUIT", ["80/tcp", "8080/tcp"])
    assert config["Cmd"] == ["nginx", "-g", "daemon off;"]


def test_a_database_server_in_the_manner_of_postgres(build: Build, debian_layout: Path) -> None:
    image = build("postgres", "--build-context", f"debian:bookworm-slim=oci-layout://{debian_layout}")
    directory = image.files["var/lib/postgresql/data"]
    assert (directory.uid, directory.gid, directory.mode) == (999, 999, 0o1777)
    assert image.files["run/postgresql"].mode == 0o3777
    assert "listen_addresses = '*'" in image.text("usr/share/postgresql/postgresql.conf.sample")
    assert image.files["usr/local/bin/docker-enforce-initdb.sh"].linkname == "docker-entrypoint.sh"
    config = image.config["config"]
    assert config["Env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/16/bin",
        "PG_MAJOR=16",
        "PGDATA=/var/lib/postgresql/data",
    ]
    assert config["Volumes"] == {"/var/lib/postgresql/data": {}} and config["StopSignal"] == "SIGINT"
