"""Decodes the public collections of M-Bus telegrams and compares with what they say of each.

    python -m tests.conformance.mbus_collections FOLDER

FOLDER holds a copy of the project ``libmbus`` (its ``test/test-frames``), of ``wmbusmeters`` (its
``drivers/src`` and ``src``), or both. A selection of them is in tests/edge/wire; this goes through
all. Telegrams of wmbusmeters are stored decrypted where no key stands beside them: for those the
words that announce the encryption are taken out.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from citytwin.conversion import between
from citytwin.errors import DeviceError, UnitError
from citytwin_edge.wire.mbus_frames import read_frame
from citytwin_edge.wire.mbus_records import Record
from citytwin_edge.wire.mbus_telegram import Formats, telegram
from citytwin_edge.wire.wmbus_frames import LinkFrame, link_frame
from citytwin_edge.wire.wmbus_telegram import wireless

SUFFIXES = {
    "kwh": "kW.h", "mj": "MJ", "gj": "GJ", "m3": "m3", "m3h": "m3/h", "lh": "L/h", "kw": "kW",
    "c": "Cel", "h": "h", "s": "s", "d": "d", "v": "V", "a": "A", "hz": "Hz", "bar": "bar",
    "hca": "1", "rh": "%", "kvarh": "kvar.h", "kvar": "kvar", "kva": "kV.A",
}  # fmt: skip
"""How wmbusmeters ends the name of a value in each unit."""


class Told(NamedTuple):
    """Telegrams of one meter, its key, and what the last of them says."""

    where: str
    telegrams: list[str]
    key: str
    fields: dict[str, Any]


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(line + "\n")


def told_by_wmbusmeters(folder: Path) -> Iterator[Told]:
    """Yield what the drivers' own tests say."""
    for path in sorted(folder.glob("drivers/src/*.xmq")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(
            r"args\s*=\s*'([^']*)'\s*telegram\s*=\s*(\S+)\s*json\s*=\s*'([^']*)'", text
        ):
            yield _told(path.name, found[1], found[2], found[3])
    for path in sorted(folder.glob("src/driver_*.cc")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(
            r"// Test: (\S+ \S+ \S+ \S+).*?\n((?:// telegram=.*\n// \{.*\n)+)",
            re.sub(r"// (Comment:.*)?\n", "", text),
        ):
            for line, said in re.findall(r"// telegram=(\S+)\n// (\{.*)\n", found[2]):
                yield _told(path.name, found[1], line, said)


def _told(name: str, args: str, telegrams: str, said: str) -> Told:
    words = args.split()
    key = words[-1]
    return Told(
        f"{name} {words[0]}",
        [re.sub(r"[_|#]", "", one) for one in telegrams.split(",")],
        key if re.fullmatch("[0-9A-Fa-f]{32}", key) else "",
        json.loads(said),
    )


def records_of(told: Told, formats: Formats) -> list[Record]:
    """Return the records of the last telegram.

    Raises:
        DeviceError: it cannot be understood.
    """
    records: list[Record] = []
    key = bytes.fromhex(told.key)
    for text in told.telegrams:
        raw = bytes.fromhex(text)
        frame = read_frame(raw)
        if frame is not None:
            records = list(telegram(frame.ci, frame.data).block.records)
            continue
        radio = link_frame(raw)
        try:
            said = wireless(radio, key, formats)
        except DeviceError:
            said = wireless(opened(radio), b"", formats)
        records = list(said.block.records)
    return records


def opened(frame: LinkFrame) -> LinkFrame:
    """Return a frame that is stored decrypted, without the words that announce the encryption."""
    ci, data = frame.ci, bytearray(frame.data)
    at = -1
    if ci == 0x8D and len(data) > 8:
        return frame._replace(ci=data[8], data=bytes(data[9:]))
    if ci in (0x8C, 0x8E):
        at += 3 + (8 if ci == 0x8E else 0)
        ci = data[at]
    if ci == 0x90:
        at += 2 + data[at + 1]
        ci = data[at]
    word = at + 1 + (10 if ci == 0x72 else 2)
    if ci in (0x72, 0x7A) and len(data) > word + 1:
        mode = data[word + 1] & 0x1F
        data[word : word + (3 if mode == 7 else 2)] = b"\0\0"
    return frame._replace(ci=ci, data=bytes(data[at + 1 :]))


def holds(records: list[Record], unit: str, value: float) -> bool:
    """Tell whether one of the records is a value."""
    for record in records:
        if record.in_unit is None:
            continue
        own = record.told.unit
        try:
            scale = between(own, unit) if own not in ("", "1") else None
        except UnitError:
            continue
        number = float(record.in_unit)
        if scale is not None:
            number = number * scale.factor + (0 if record.told.is_difference else scale.offset)
        if abs(number - value) <= 1e-5 * abs(value) + 1.1e-6:
            return True
    return False


def check_wmbusmeters(folder: Path) -> Counter[str]:
    """Compare all drivers' telegrams; prints what differs."""
    count: Counter[str] = Counter()
    formats = Formats()  # of all meters: that collection has compact telegrams alone, too
    for told in told_by_wmbusmeters(folder):
        count["telegrams"] += 1
        try:
            records = records_of(told, formats)
        except (DeviceError, ValueError, IndexError) as error:
            count["of the manufacturer's own layout, or damaged"] += 1
            say(f"{told.where}: {error}")
            continue
        missing = []
        for name, value in told.fields.items():
            unit = SUFFIXES.get(name.rpartition("_")[2])
            if unit is None or not isinstance(value, int | float):
                continue
            count["values"] += 1
            if holds(records, unit, value):
                count["values that agree"] += 1
            else:
                missing.append(f"{name} = {value}")
        if missing:
            say(f"{told.where}: not among the records: {', '.join(missing)}")
    return count


LIBMBUS = {
    "Wh": ("W.h", 1), "J": ("J", 1), "m^3": ("m3", 1), "kg": ("kg", 1), "W": ("W", 1),
    "J/h": ("MJ/h", 1e-6), "m^3/h": ("m3/h", 1), "m^3/s": ("m3/s", 1), "m^3/min": ("L/min", 1e3),
    "°C": ("Cel", 1), "K": ("K", 1), "bar": ("bar", 1), "s": ("s", 1), "V": ("V", 1),
    "A": ("A", 1), "kg/h": ("kg/h", 1),
}  # fmt: skip
"""Its units, and what its numbers are in ours."""


def check_libmbus(folder: Path) -> Counter[str]:
    """Compare all frames' normalised readings; prints what differs."""
    count: Counter[str] = Counter()
    for path in sorted(folder.glob("test/test-frames/*.hex")):
        readings = path.with_suffix(".norm.xml")
        frame = read_frame(bytes.fromhex(path.read_text(encoding="ascii")))
        if frame is None or not readings.exists():
            count["without a reading"] += 1
            continue
        count["telegrams"] += 1
        records = list(telegram(frame.ci, frame.data).block.records)
        # It is a collection that somebody chose to fetch; its files are small.
        for one in ElementTree.fromstring(readings.read_bytes()).iter("DataRecord"):
            known = LIBMBUS.get(one.findtext("Unit") or "")
            if known is None:
                continue
            count["values"] += 1
            value = float(one.findtext("Value") or "nan") * known[1]
            if holds(records, known[0], value):
                count["values that agree"] += 1
            else:
                say(f"{path.name}: not among the records: {value} {known[0]}")
    return count


def main(arguments: list[str]) -> int:
    """Go through the collections in a folder."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        say("skipped: name a folder with copies of libmbus and wmbusmeters to compare with")
        return 0
    folder = Path(arguments[0])
    for name, check in (("libmbus", check_libmbus), ("wmbusmeters", check_wmbusmeters)):
        if (folder / name).is_dir():
            say(f"{name} {dict(check(folder / name))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
