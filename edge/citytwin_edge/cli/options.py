"""What the commands share: their common options, the configuration, the site of adapters."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from citytwin.adapter import Site
    from citytwin_edge.gateway import Device, GatewayConfig


def common(command: ArgumentParser, do: Callable[[Any], int], *, config: bool = True) -> None:
    """Give a command its function and the options that all have."""
    if config:
        command.add_argument(
            "--config", type=Path, metavar="FILE", help="./edge.toml, else /etc/citytwin/edge.toml"
        )
    command.add_argument("--log", choices=("text", "json"), default="text")
    command.set_defaults(do=do)


def devices(command: ArgumentParser) -> None:
    """Give a command the option that chooses devices."""
    command.add_argument("--device", action="append", default=[], metavar="NAME", help="only this")


def config_path(options: Any) -> Path:
    """Return the configuration file that a command shall use."""
    if options.config is None:
        here, there = Path("edge.toml"), Path("/etc/citytwin/edge.toml")
        options.config = here if here.exists() else there
    return Path(options.config)


def load(options: Any) -> GatewayConfig:
    """Return the configuration that a command shall use.

    Raises:
        ConfigError: something is wrong in it.
    """
    from citytwin_edge import config

    return config.load(config_path(options))


def state_folder(options: Any) -> Path:
    """Return the state folder that a configuration names, whatever else may be wrong in it.

    Raises:
        ConfigError: it cannot be read at all.
    """
    from citytwin.config import Document
    from citytwin_edge.config import GatewaySection

    path = config_path(options)
    section = Document(path).data.get("gateway")
    named = section.get("state") if isinstance(section, dict) else None
    folder = named if isinstance(named, str) else GatewaySection("").state
    return (path.parent / folder).resolve()


def chosen(config: GatewayConfig, names: list[str]) -> list[Device]:
    """Return the devices of these names, all of them when there are none.

    Raises:
        CityTwinError: there is no such device.
    """
    from citytwin.errors import CityTwinError

    known = [device.name for device in config.devices]
    for name in names:
        if name not in known:
            raise CityTwinError(f"there is no device {name!r}; there are {', '.join(known)}")
    return [device for device in config.devices if not names or device.name in names]


def site() -> Site:
    """Return what adapters need outside a running agent; texts are shown, not numbered."""
    from citytwin.adapter import Site
    from citytwin.clock import SystemClock

    return Site(SystemClock(), lambda _text: 0)
