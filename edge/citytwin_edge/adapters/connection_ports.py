"""The serial ports of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from serial.tools.list_ports import comports

BY_ID: Final = Path("/dev/serial/by-id")
"""Where udev keeps a name for each port that stays when ports are numbered anew."""


def serial_ports() -> list[dict[str, str]]:
    """Return this machine's serial ports: path, what the system says of it, its lasting name."""
    return [
        {
            "port": one.device,
            "device": one.description if one.description != "n/a" else "",
            "usb": f"{one.vid:04x}:{one.pid:04x}" if one.vid is not None else "",
            "serial": one.serial_number or "",
            "lasting": _lasting(one.device),
        }
        for one in sorted(comports(include_links=False), key=lambda one: str(one.device))
    ]


def _lasting(path: str) -> str:
    """Return the name of a port that stays; empty where there is none."""
    if not BY_ID.is_dir():
        return ""
    links = (str(link) for link in sorted(BY_ID.iterdir()) if str(link.resolve()) == path)
    return next(links, "")
