"""The rules of dependency that import-linter cannot say: which library may appear in which module.

`lint-imports` (contracts in the root pyproject.toml) holds the floors; this holds the rooms.
"""

from __future__ import annotations

from tests.tidy.sources import Module, report, source_modules

EDGE = "edge/citytwin_edge/"
HUB = "hub/citytwin_hub/"
PROTOS = "protos/citytwin_protos/"
CITY = "deploy/democity/"

# A third-party library appears only where it is wrapped; nobody else knows that it exists.
# `adapters/modbus` stands for adapters/modbus.py, adapters/modbus_plan.py and adapters/modbus/….
ONLY_IN: dict[str, tuple[str, ...]] = {
    "pymodbus": (EDGE + "adapters/modbus", CITY),
    "bleak": (EDGE + "adapters/ble",),
    "dbus_fast": (EDGE + "adapters/ble",),
    "serial": (EDGE + "adapters/connection", CITY),
    "serial_asyncio_fast": (EDGE + "adapters/connection", CITY),
    "aiomqtt": (EDGE + "adapters/mqtt", HUB + "apis/ngsild/mqtt_delivery", CITY),
    "paho": (EDGE + "adapters/mqtt",),
    "amqtt": (CITY,),
    "wntr": (CITY, HUB + "importers/"),
    "ifcopenshell": (HUB + "importers/",),
    "osmium": (HUB + "importers/",),
    "pyogrio": (HUB + "importers/",),
    "rasterio": (HUB + "importers/",),
    "sumolib": (HUB + "importers/",),
    "swmm_api": (HUB + "importers/",),
    "cjio": (),  # rounds what a whole process writes as JSON to six digits
    "jsonpath": (EDGE + "wire/payload",),
    "duckdb": (HUB + "history/",),
    "fastapi": (HUB + "apis/",),
    "starlette": (HUB + "apis/",),
    "uvicorn": (HUB + "hub", HUB + "apis/"),
    "cql2": (HUB + "apis/ogc/cql2_text",),
    "prometheus_client": (HUB + "metrics",),
    "httpx": (
        HUB + "cli",
        HUB + "client",
        HUB + "jsonld/fetch",
        HUB + "apis/ngsild/delivery",
        CITY,
    ),
}

# SQL is spoken only by the memories.
SQL = ("sqlite3", "sqlite_utils")
SPEAKS_SQL = (
    EDGE + "outbox",
    EDGE + "numbering",
    EDGE + "commander",
    "deploy/installer/waiting",  # counts, from outside, what an outbox holds
    HUB + "registry",
    HUB + "commands",
    HUB + "versions",
    HUB + "access",
    HUB + "accounts",
    HUB + "alarms",
    HUB + "journal/",
    HUB + "entities/database",
    HUB + "entities/sqlite",
    HUB + "jsonld/store",
)

# Bytes to numbers and numbers to numbers: no I/O, no clock, the same answer every time.
PURE = (
    EDGE + "wire/",
    EDGE + "kernels/",
    # The codec and what it is made of.
    *(
        PROTOS + name
        for name in ("codec", "block", "values", "memory", "columns", "decimals", "bits")
    ),
    # The session and what it is made of.
    *(PROTOS + name for name in ("session", "gateway_", "hub_", "endpoint", "frames", "offset")),
)
IMPURE = ("asyncio", "grpc", "select", "socket", "sqlite3", "subprocess", "threading", "time")

# What reads a device or a column knows nothing of how samples are kept or sent.
PLUGINS = (EDGE + "adapters/", EDGE + "kernels/", EDGE + "wire/", HUB + "simulation/models/")
KEEPING_AND_SENDING = (
    "citytwin_edge.agent",
    "citytwin_edge.commander",
    "citytwin_edge.outbox",
    "citytwin_edge.pipeline",
    "citytwin_edge.poller",
    "citytwin_edge.uplink",
    "citytwin_protos",
)

# The inner rooms of the hub never know who asks them.
INNER = tuple(
    HUB + name
    for name in (
        "twin",
        "journal/",
        "history/",
        "alarms",
        "commands",
        "registry",
        "ingest",
        "readers",
    )
)
WEB = ("citytwin_hub.apis", "fastapi", "starlette", "uvicorn", "websockets")


def reaches(name: str, roots: tuple[str, ...]) -> bool:
    """Tell whether an imported name is one of these packages, or lies in one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def breaches(modules: tuple[Module, ...]) -> list[str]:
    """Return every import that stands where it may not."""
    wrong = []
    for module in modules:
        for line, name in module.imports():
            here = f"{module.path}:{line}: {name}"
            for library, rooms in ONLY_IN.items():
                if reaches(name, (library,)) and not module.path.startswith(rooms):
                    wrong.append(f"{here} belongs in {' or '.join(rooms)}")
            if reaches(name, SQL) and not module.path.startswith((*SPEAKS_SQL, CITY)):
                wrong.append(f"{here}: SQL is spoken only by the memories")
            if module.path.startswith(PURE) and reaches(name, IMPURE):
                wrong.append(f"{here}: nothing here does I/O or knows the time")
            if module.path.startswith(PLUGINS) and reaches(name, KEEPING_AND_SENDING):
                wrong.append(f"{here}: a plug-in knows nothing of keeping and sending")
            if module.path.startswith(INNER) and reaches(name, WEB):
                wrong.append(f"{here}: the page and the APIs read the hub, never the reverse")
    return wrong


def test_every_import_is_where_it_may_be() -> None:
    report("These imports stand in the wrong room:", breaches(source_modules()))


def test_a_breach_is_found() -> None:
    for path, text in (
        (EDGE + "poller.py", "import pymodbus.client"),
        (EDGE + "kernels/rules.py", "from time import monotonic"),
        (EDGE + "adapters/mqtt.py", "from citytwin_edge.outbox import Outbox"),
        (EDGE + "adapters/modbus_line.py", "import serial"),
        (HUB + "twin.py", "from citytwin_hub import apis"),
        (HUB + "hub.py", "import sqlite3"),
    ):
        assert len(breaches((Module(path, text),))) == 1, path


def test_what_is_in_its_room_is_left_alone() -> None:
    for path, text in (
        (EDGE + "adapters/modbus.py", "from pymodbus.client import AsyncModbusTcpClient"),
        (EDGE + "adapters/connection.py", "import serial"),
        (EDGE + "outbox.py", "import sqlite3, time"),
        (HUB + "apis/rest.py", "from citytwin_hub.twin import Twin\nimport fastapi"),
    ):
        assert breaches((Module(path, text),)) == [], path
