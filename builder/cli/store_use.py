"""`dockyard store use`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.store.containerd.address import Address


@click.command("use")
@click.argument("name", metavar="containerd|docker|classic")
@click.option(
    "--address", metavar="unix:///PATH", help="Socket of a containerd daemon that keeps the images."
)
@click.option("--namespace", metavar="NAME", help="Namespace of the daemon.  [default: default]")
@click.pass_obj
def command(settings: Settings, /, name: str, address: str | None, namespace: str | None) -> None:
    """Make a store the active one, for every command on this state root from now on.

    Without --address containerd's store is dockyard's own, in the state root. docker is the Docker Engine that
    listens, or without one the classic store in the state root, which classic always means.
    """
    from builder.api.stores import list_stores
    from builder.store.root import open_root
    from builder.store.selection import use_driver

    root = open_root(settings.root)
    if address is not None:
        daemon, described = _daemon(address, namespace)
        use_driver(root, name, daemon)
        click.echo(described)
        return
    if namespace is not None:
        raise click.UsageError("--namespace needs --address")
    use_driver(root, name)
    active = next(each for each in list_stores(root.path, os.environ) if each.active)
    click.echo(f"{active.driver.name}: {active.driver.store}")


def _daemon(address: str, namespace: str | None) -> tuple[Address, str]:
    """The daemon and what to say of it.

    It is asked before it is chosen: a wrong address shall not be the answer to every command from now on.
    """
    from builder.store.containerd.address import NAMESPACE, parse_address
    from builder.store.containerd.store import ContainerdStore

    daemon = parse_address(address, namespace or NAMESPACE)
    with ContainerdStore(daemon) as store:
        described = f"containerd: containerd {store.version} at {daemon.url}, namespace {daemon.namespace}"
    return daemon, described
