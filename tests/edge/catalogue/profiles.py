"""What the tests of the catalogue share: a profile of an imagined meter, and a shelf with it."""

from pathlib import Path

from citytwin_edge.catalogue.shelf import Shelf
from citytwin_edge.device_tables import Owner

METER = """\
vendor = "Acme"
model = "M1"
title = { kk = "Есептегіш", ru = "Счётчик", en = "Meter" }
adapter = "modbus"
nature = "electricity"
type = "ACMeasurement"

[evidence]
registers = "manual"
order = "manual"

[[manual]]
title = "M1 manual"
url = "https://acme.example/m1.pdf"
pages = "4"

[[caveat]]
text = "Answers after 300 ms only."
link = "https://acme.example/faq"

[device]
order = "CDAB"
reply_timeout_s = 0.7
period_s = 2
slow_period_s = 30

[[identify]]
table = "holding"
address = 100
equals = [7001]

[[point]]
name = "voltage-l1"
quantity = "voltage"
phase = "L1"
table = "input"
address = 0
type = "float32"
unit = "V"
valid = [0, 300]

[[point]]
name = "current-l1"
quantity = "current"
phase = "L1"
table = "input"
address = 2
type = "float32"
unit = "A"
valid = [-100, 100]

[[point]]
name = "energy"
quantity = "active_energy_import"
table = "input"
address = 10
type = "uint32"
scale = 0.01
unit = "kW.h"
pace = "slow"

[[point]]
name = "relay"
quantity = "relay"
table = "holding"
address = 20
writable = [0, 1]
write = { step = 1, interval_s_min = 5, failsafe = 0 }
"""

FRAMES = """\
[[case]]
source = "M1 manual, page 9"
exchange = [
    { request = "01 04 00 00 00 04 f1 c9", response = "01 04 08 33 33 43 66 00 00 c0 20 33 2c" },
    { request = "01 04 00 0a 00 02 51 c9", response = "01 04 04 e2 40 00 01 0d e8" },
    { request = "01 03 00 14 00 01 c4 0e", response = "01 03 02 00 01 79 84" },
]
values = { voltage-l1 = 230.2, current-l1 = -2.5, energy = 1234.56, relay = 1 }
"""


def put(folder: Path, profile: str = METER, frames: str | None = FRAMES) -> Path:
    """Put the profile on a shelf; returns its file."""
    path = folder / "profiles" / "acme" / "m1.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(profile)
    beside = path.with_name("m1.frames.toml")
    beside.unlink(missing_ok=True)
    if frames is not None:
        beside.write_text(frames)
    return path


def shelf(folder: Path) -> Shelf:
    """Return a shelf with what was put there alone."""
    return Shelf([folder / "profiles"])


def owner(folder: Path) -> Owner:
    """Return a gateway with that shelf."""
    return Owner("g", None, shelf(folder))
