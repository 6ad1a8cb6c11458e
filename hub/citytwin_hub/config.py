"""The hub's configuration: one TOML file, or none at all for a hub on this machine alone."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final, Literal

import msgspec

from citytwin.config import Document
from citytwin.errors import ConfigError


class HubSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[hub]``: where the hub keeps everything, what it is called, and who may do what there."""

    state: str = "./citytwin-hub"
    name: str = "CityTwin"
    policy: str = ""


class LinkSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[link]``: where gateways connect and enrol; ``names`` are in the hub's certificate."""

    bind: str = "0.0.0.0:7443"  # gateways come from outside; mutual TLS guards it
    enrol_bind: str = "0.0.0.0:7444"  # the token and TLS guard it
    address: str = ""
    names: tuple[str, ...] = ()
    window_entries: int = 64


class HttpSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[http]``: the page and REST; any but a loopback address needs a certificate and its key.

    ``anonymous``: what programs on this machine may do without a token at /ngsi-ld, /ogc, /tiles.
    """

    bind: str = "127.0.0.1:8080"
    certificate: str = ""
    key: str = ""
    anonymous: Literal["", "viewer", "operator"] = ""


class NgsildSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[ngsild]``: hosts of @contexts and of notifications; how evolution is kept and given."""

    context_hosts: tuple[str, ...] = ()
    notify_hosts: tuple[str, ...] = ()
    evolution_days: int = 0
    evolution_instances_max: int = 1000


class HistorySection(msgspec.Struct, forbid_unknown_fields=True):
    """``[history]``: how long samples wait in memory (the journal holds them) before a file."""

    flush_s: float = 60.0
    flush_samples: int = 2_000_000


class CitySection(msgspec.Struct, forbid_unknown_fields=True):
    """``[city]``: the base map, a GeoJSON file (docs/guides/operator.md)."""

    map: str = ""


class AlarmSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[alarms]``: after how long silence and bad quality are alarms."""

    gateway_silent_s: float = 30.0
    device_bad_s: float = 30.0
    missing_s: float = 900.0


class HubConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Everything that can be set."""

    hub: HubSection = msgspec.field(default_factory=HubSection)
    link: LinkSection = msgspec.field(default_factory=LinkSection)
    http: HttpSection = msgspec.field(default_factory=HttpSection)
    history: HistorySection = msgspec.field(default_factory=HistorySection)
    city: CitySection = msgspec.field(default_factory=CitySection)
    alarms: AlarmSection = msgspec.field(default_factory=AlarmSection)
    ngsild: NgsildSection = msgspec.field(default_factory=NgsildSection)

    @property
    def state(self) -> Path:
        """The folder that holds everything."""
        return Path(self.hub.state)


_SPANS: Final = (
    ("link", "window_entries", 1, 10_000),
    ("history", "flush_s", 1, 3600),
    ("history", "flush_samples", 1000, 100_000_000),
    ("ngsild", "evolution_days", 0, 36_500),
    ("ngsild", "evolution_instances_max", 1, 100_000),
    ("alarms", "gateway_silent_s", 1, 86_400),
    ("alarms", "device_bad_s", 1, 86_400),
    ("alarms", "missing_s", 1, 604_800),
)
"""What numbers may be: section, field, lowest, highest."""


PLACES: Final = ("./hub.toml", "/etc/citytwin/hub.toml")


def load(path: Path | None) -> HubConfig:
    """Return the configuration: of a file, else of the first of PLACES, else the defaults.

    Raises:
        ConfigError: the file is wrong; the text names line and field.
    """
    path = path or next((one for one in map(Path, PLACES) if one.exists()), None)
    if path is None:
        return HubConfig()
    document = Document(path)
    config = document.convert(HubConfig)
    config.hub.policy = _policy(path, config.hub.policy)
    for section, field in (("link", "bind"), ("link", "enrol_bind"), ("http", "bind")):
        value = getattr(getattr(config, section), field)
        try:
            split_address(value)
        except ValueError as error:
            raise document.error(str(error), (section, field)) from None
    host, _ = split_address(config.http.bind)
    if not is_loopback(host) and not (config.http.certificate and config.http.key):
        raise document.error(
            f"{host} can be reached from outside, so [http] certificate and key are needed; or "
            "bind to 127.0.0.1 behind a proxy that speaks TLS",
            ("http", "bind"),
        )
    if config.http.anonymous and not is_loopback(host):
        raise document.error(
            f"{host} can be reached from outside, so nobody may come without a token; leave "
            "anonymous out, or bind to 127.0.0.1",
            ("http", "anonymous"),
        )
    if config.link.address:
        try:
            split_address(config.link.address)
        except ValueError as error:
            raise document.error(str(error), ("link", "address")) from None
    for section, field, low, high in _SPANS:
        if not low <= getattr(getattr(config, section), field) <= high:
            raise document.error(f"must be {low:g} to {high:g}", (section, field))
    return config


def _policy(path: Path, given: str) -> str:
    """Return the file of the policy: as it is given, else one beside the configuration."""
    beside = path.parent / (given or "policy.toml")
    return str(beside) if given or beside.exists() else ""


def split_address(text: str) -> tuple[str, int]:
    """Return (host, port) of ``host:port``; raises ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not host:port, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


__all__ = ["ConfigError", "HubConfig", "is_loopback", "load", "split_address"]
