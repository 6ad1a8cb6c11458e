"""Scanning: which ports there are, which devices answer, and which profile each of them is."""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from citytwin.adapter import AdapterType, Binding, Found, Probed, Probes, Scans, Site
from citytwin.errors import CityTwinError, ConfigError
from citytwin.quality import Quality
from citytwin_edge import plugins
from citytwin_edge.catalogue.golden import device_like
from citytwin_edge.catalogue.invariants import identities
from citytwin_edge.catalogue.profile import Identify, Profile
from citytwin_edge.catalogue.shelf import Shelf
from citytwin_edge.device_tables import DeviceSection, Owner, names
from citytwin_edge.foreign import built

SCAN_S_MAX: Final = 600.0
"""A scan as a whole; whoever looks for more says which units, or which port."""
IDENTIFY_S_MAX: Final = 30.0
SILENCES_MAX: Final = 4
"""A device that says nothing to so many questions about what it is, is not asked further."""

_HOW: Final = ("scan_units", "reply_timeout_s")
"""Fields that say how to look, not where."""
_LINE: Final = ("transport", "baud", "parity", "stop_bits", "data_bits")
"""Fields that say how a line is: a device is asked as it was met, whatever its profile says."""

Row = dict[str, Any]


def alternatives(chosen: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of fields of which several values were given."""
    for values in itertools.product(*chosen.values()):
        yield dict(zip(chosen, values, strict=True))


def settings_of(name: str, kind: AdapterType, fields: Mapping[str, Any]) -> Any:
    """Return an adapter's settings; what is required and not given comes from its examples.

    Raises:
        ConfigError: the fields do not suit the adapter.
    """
    examples: Sequence[dict[str, Any]] = getattr(kind, "examples", ()) or ({},)
    problem = ""
    for example in ({}, *examples):
        try:
            return msgspec.convert({**example, **fields}, kind.device_settings)
        except msgspec.ValidationError as error:
            problem = problem or str(error)
    raise ConfigError(f"adapter {name}: {problem}")


def _check_place(name: str, settings: Any, fields: Mapping[str, Any]) -> None:
    """Refuse to look at the host of an adapter's example, which is nobody's or a stranger's."""
    usual = {one.name: one.default for one in msgspec.structs.fields(settings)}
    if "host" not in fields and getattr(settings, "host", "") not in ("", None, usual.get("host")):
        raise ConfigError(f"adapter {name}: say where to look: --host ADDRESS")


async def scan(
    name: str,
    fields: Mapping[str, Any],
    shelf: Shelf,
    site: Site,
    met: Callable[[Found], object] = lambda _: None,
) -> AsyncIterator[Row]:
    """Yield a row for each device that is met, with the profiles that it may be.

    Args:
        name: the adapter.
        fields: of ``[[device]]``: where to look.
        shelf: the profiles.
        site: for the adapter.
        met: called with each device when it is met; what it is, is asked when all have been.

    Raises:
        ConfigError: there is no such adapter, it cannot scan, or the fields do not suit it.
        DeviceError: there is no connection.
        CityTwinError: it took too long; what was met until then has been yielded.
    """
    kind = plugins.adapter(name)
    settings = settings_of(name, kind, fields)
    _check_place(name, settings, fields)
    adapter = built(f'adapter "{name}"', lambda: kind.build(settings, [], site))
    if not isinstance(adapter, Scans):
        raise ConfigError(f'adapter "{name}" cannot scan; name the device in edge.toml instead')
    found: list[Found] = []
    is_whole = True
    try:
        async with asyncio.timeout(SCAN_S_MAX):
            await adapter.open()
            async for one in adapter.scan():
                found.append(one)
                met(one)
    except TimeoutError:
        is_whole = False
    finally:
        await adapter.close()
    for one in found:
        addressed = {**fields, **_fields(one)}
        profiles = (
            await identify(name, addressed, shelf, site, one.says)
            if one.address or one.says
            else []
        )
        yield _row(name, fields, one, profiles)
    if not is_whole:
        raise CityTwinError(
            f"the scan ended after {SCAN_S_MAX:g} s; there may be more devices: look at fewer unit "
            "ids, speeds or places at a time"
        )


def _fields(found: Found) -> dict[str, Any]:
    """Return the fields that make it this one; none where they are no TOML."""
    try:
        return tomllib.loads(found.address)
    except tomllib.TOMLDecodeError:
        return {}


def makes_sense(row: Row) -> bool:
    """Return whether a device was understood; else its line may be set otherwise."""
    from citytwin_edge.adapters.modbus_scan import NONSENSE

    return not str(row["says"]).startswith(NONSENSE)


def _row(name: str, fields: Mapping[str, Any], one: Found, profiles: list[str]) -> Row:
    return {
        "adapter": name,
        "where": ", ".join(f"{n} = {one}" for n, one in fields.items() if n not in _HOW),
        "address": one.address.replace("\n", ", "),
        "says": one.description,
        "dBm": None if math.isnan(one.signal) else round(one.signal),
        "profile": ", ".join(profiles),
        **{name: fields[name] for name in ("baud", "parity") if name in fields},
    }


async def identify(
    name: str,
    fields: Mapping[str, Any],
    shelf: Shelf,
    site: Site,
    says: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Return the profiles whose every ``[[identify]]`` is what the device says; best first.

    Args:
        name: the adapter.
        fields: of ``[[device]]``: which device.
        shelf: the profiles.
        site: for the adapter.
        says: what the scan was told of the device, by name.
    """
    asker = _Asker(name, fields, site, says)
    matching: list[tuple[int, str]] = []
    try:
        async with asyncio.timeout(IDENTIFY_S_MAX):
            for profile in map(shelf.profile, shelf.names()):
                if profile.adapter != name or not profile.file.identify:
                    continue
                if await asker.is_one(profile, Owner("scan", None, shelf)):
                    matching.append((-len(profile.file.identify), profile.name))
                if asker.silences >= SILENCES_MAX:
                    break
    except TimeoutError:
        pass
    return [name for _, name in sorted(matching)]


class _Asker:
    """Asks one device what it is; the same question once."""

    def __init__(
        self, name: str, fields: Mapping[str, Any], site: Site, says: Mapping[str, str]
    ) -> None:
        self._name, self._fields, self._site, self._says = name, fields, site, says
        self._kind = plugins.adapter(name)
        self._known: dict[str, tuple[Probed, str]] = {}
        self.silences = 0

    async def is_one(self, profile: Profile, owner: Owner) -> bool:
        """Return whether the device says what one of this profile says."""
        own = {*names(DeviceSection), *_LINE}
        usual = {field: v for field, v in profile.file.device.items() if field not in own}
        try:
            settings = settings_of(self._name, self._kind, {**usual, **self._fields})
            wanted = identities(profile, device_like(profile, owner))
        except ConfigError:
            return False  # such a device cannot be at this place: another transport, say
        for binding, what in sorted(wanted, key=lambda one: one[0] is not None):
            if binding is None:  # told already, so it comes before questions
                if not fits(what, math.nan, self._says.get(what.said, "")):
                    return False
                continue
            said, text = await self._ask(settings, binding)
            if said.quality != Quality.GOOD or not fits(what, said.value, text):
                return False
        return True

    async def _ask(self, settings: Any, binding: Binding) -> tuple[Probed, str]:
        question = f"{settings} {binding.address} {binding.point.kind}"
        if question not in self._known:
            self._known[question] = await self._asked(settings, binding)
        return self._known[question]

    async def _asked(self, settings: Any, binding: Binding) -> tuple[Probed, str]:
        nothing = Probed(0, b"", math.nan, Quality.BAD_SILENT, 0)
        adapter = self._kind.build(settings, [binding], self._site)
        if not isinstance(adapter, Probes):
            return nothing, ""
        try:
            await adapter.open()
            said = (*await adapter.probe(), nothing)[0]
        except (CityTwinError, OSError):
            said = nothing
        finally:
            await adapter.close()
        self.silences += said.quality == Quality.BAD_SILENT
        return said, said.note


def fits(what: Identify, value: float, text: str) -> bool:
    """Return whether what a device says of itself is what its profile says."""
    if what.matches:
        return re.fullmatch(what.matches, text.strip(" \0")) is not None
    if what.within:
        return what.within[0] <= value <= what.within[-1]
    # A number of 64 bits has more digits than a value has; what is lost is lost on both sides.
    return any(
        text.strip(" \0") == one if isinstance(one, str) else value == float(one)
        for one in what.equals
    )
