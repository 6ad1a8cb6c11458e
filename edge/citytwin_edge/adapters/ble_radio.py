"""A BLE radio: one Bluetooth adapter of this machine, and the devices that are heard through it.

One scanner serves all devices. The adapter may be pulled out, switched off or blocked, bluetoothd
may die: every ear is told why, once, and all goes on by itself when it is well again. bleak (and
D-Bus with it) is imported when the first device is opened: it takes 3 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from citytwin.clock import Clock
from citytwin.errors import DeviceError, DeviceSilent
from citytwin_edge.adapters.ble_ear import Ear, Heard
from citytwin_edge.adapters.ble_settings import short_number
from citytwin_edge.wire.adverts import SECTION_BYTES_MAX, Of, Section

if TYPE_CHECKING:
    from bleak import BleakScanner
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

RETRY_S: Final = 5.0
"""So often it is tried again when something is wrong that D-Bus does not tell the end of."""
LOOK_S: Final = 30.0
QUIET_S_MAX: Final = 120.0
"""A scanner that hears nobody for so long is started anew: some adapters fall asleep."""
START_S_MAX: Final = 10.0
SECTIONS_MAX: Final = 16
"""Of one device: BlueZ keeps every company number that it ever used."""
NAMES_MAX: Final = 500
"""Devices of which a survey remembers what they call themselves."""
PATTERNS_MAX: Final = 16
"""For so many kinds of sections Linux can wait passively (HCI_MAX_ADV_MONITOR_NUM_PATTERNS)."""
_STOP_S_MAX: Final = 0.8
_CLOSE_S_MAX: Final = 0.9
_NOT_SAID_BY_IT: Final = frozenset(
    {
        "RSSI", "TxPower", "ManufacturerData", "ServiceData", "AdvertisingFlags", "AdvertisingData",
        "UUIDs", "Name", "Alias", "Appearance", "Icon",
    }
)  # fmt: skip
"""What BlueZ changes when it hears a device; a change of anything else says nothing of that."""

Survey = Callable[["BLEDevice", int, tuple[Section, ...]], None]
_Wish = tuple[str, frozenset[tuple[Of, int]]]
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Seen:
    """What BlueZ said of a device last."""

    sections: dict[tuple[Of, int], bytes] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


class Radio:
    """One adapter; made by the first device that needs it."""

    def __init__(self, hci: str, clock: Clock) -> None:
        """Make a radio of the adapter ``hci``; touches nothing."""
        self.hci, self.name = hci, f"Bluetooth {hci}"
        self.connecting = asyncio.Lock()
        """Held while a connection is made: BlueZ makes one at a time."""
        self._clock = clock
        self._ears: dict[str, list[Ear]] = {}
        self._attending: set[Ear] = set()
        self._seen: dict[str, _Seen] = {}
        self._seekers: dict[str, list[asyncio.Future[BLEDevice]]] = {}
        self._surveys: list[Survey] = []
        self.names: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._news, self._checked, self._troubled = (
            asyncio.Event(),
            asyncio.Event(),
            asyncio.Event(),
        )
        self._why = ""
        self._scanner: BleakScanner | None = None
        self._running: _Wish | None = None
        self._is_passive_possible = True
        self._heard_at = 0.0

    def __str__(self) -> str:
        return f"the Bluetooth adapter {self.hci}"

    @property
    def scanning(self) -> str:
        """How it scans now: passive, active, or not at all (empty)."""
        return self._running[0] if self._running is not None else ""

    def attend(self, ear: Ear) -> None:
        """Listen, if nobody does yet, and go on while somebody attends."""
        ear.open()
        if ear not in self._attending:
            self._attending.add(ear)
            self._ears.setdefault(ear.address, []).append(ear)
        self._news.set()
        if self._task is None or self._task.done():
            self._checked.clear()
            self._task = asyncio.create_task(self._keep())
            self._task.add_done_callback(self._ended)

    async def forsake(self, ear: Ear) -> None:
        """Attend no more; with the last one scanning ends."""
        ear.close()
        if ear in self._attending:
            self._attending.remove(ear)
            self._ears[ear.address].remove(ear)
        self._news.set()
        if not self._attending and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task], timeout=_CLOSE_S_MAX)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Let an error that nobody foresaw reach those who listen."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(DeviceError(f"{self} failed: {error!r}"))
            _log.error("ble.radio_failed", hci=self.hci, exc_info=error)

    # ---- for devices that are connected

    async def ready(self) -> None:
        """Wait until the adapter was looked at.

        Raises:
            DeviceSilent: it cannot be used.
        """
        await self._checked.wait()
        if self._why:
            raise DeviceSilent(self._why)

    async def troubled(self) -> str:
        """Wait until the adapter cannot be used; return why."""
        await self._troubled.wait()
        return self._why

    async def find(self, address: str) -> BLEDevice:
        """Return a device when it is heard, or is connected already; the caller limits the time.

        Raises:
            DeviceSilent: the adapter cannot be used.
            BleakError, OSError, EOFError: bluetoothd refuses.
        """
        from bleak import BleakAdapter

        await self.ready()
        adapter = await BleakAdapter.get(bluez={"adapter": self.hci})
        # One that was left connected does not advertise. 1800 and 1801 are of every device.
        for device in await adapter.get_connected_devices(["1800", "1801"]):
            if device.address.upper() == address:
                return device
        sought: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()
        self._seekers.setdefault(address, []).append(sought)
        self._news.set()
        try:
            return await sought
        finally:
            self._seekers[address].remove(sought)
            if not self._seekers[address]:
                del self._seekers[address]
            self._news.set()

    @contextlib.contextmanager
    def survey(self, take: Survey) -> Any:
        """Have every device that is heard, with its RSSI and sections, for a while."""
        self._surveys.append(take)
        self._news.set()
        try:
            yield
        finally:
            self._surveys.remove(take)
            self._news.set()

    # ---- keeping it going

    async def _keep(self) -> None:
        from citytwin_edge.adapters.ble_watch import Watch

        watch = Watch(self.hci, self._news)
        try:
            while True:
                self._news.clear()
                why = await watch.look()
                if why:
                    await self._stop()
                else:
                    why = await self._scan_as_wished()
                self._judge(why)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S if why else LOOK_S):
                        await self._news.wait()
        finally:
            await self._stop()
            await watch.close()

    def _judge(self, why: str) -> None:
        """Tell everybody what has changed for the worse or the better."""
        is_new, self._why = why != self._why, why
        self._checked.set()
        if why:
            self._troubled.set()
            self._tell(DeviceSilent(why))
            for sought in [one for several in self._seekers.values() for one in several]:
                if not sought.done():
                    sought.set_exception(DeviceSilent(why))
            if is_new:
                self._is_passive_possible = True
        elif self._troubled.is_set():
            self._troubled.clear()
            for ear in self._attending:
                ear.well()

    def _tell(self, trouble: DeviceError) -> None:
        for ear in self._attending:
            ear.tell(trouble)

    def _wish(self) -> _Wish | None:
        """Return how to scan now, and for which sections; None: nobody wants to."""
        scanning = [ear for ear in self._attending if ear.scans]
        if self._seekers or self._surveys or any(ear.asks for ear in scanning):
            return "active", frozenset()
        if not scanning:
            return None
        sections = frozenset[tuple[Of, int]]().union(*(ear.sections for ear in scanning))
        is_possible = self._is_passive_possible and len(sections) <= PATTERNS_MAX
        if not is_possible and all(ear.may_ask for ear in scanning):
            return "active", frozenset()
        return "passive", sections

    async def _scan_as_wished(self) -> str:
        """Start, restart or stop the scanner; return why it could not be done."""
        wish, now = self._wish(), asyncio.get_running_loop().time()
        is_quiet = now - self._heard_at > QUIET_S_MAX
        if self._scanner is not None and (wish != self._running or is_quiet):
            await self._stop()
        if wish is None or self._scanner is not None:
            return ""
        why = await self._start(wish)
        if why and wish[0] == "passive":
            # bluetoothd can do it since 5.56, until 5.7x only with --experimental.
            self._is_passive_possible = False
            fallback = self._wish()
            if fallback is not None and fallback[0] == "active":
                _log.info("ble.scans_actively", hci=self.hci, because=why)
                why = await self._start(fallback)
            else:
                self._is_passive_possible = True
        return why

    async def _start(self, wish: _Wish) -> str:
        from bleak import BleakScanner
        from bleak.assigned_numbers import AdvertisementDataType
        from bleak.exc import BleakError

        from citytwin_edge.adapters.ble_watch import BUS_ERRORS

        mode, sections = wish
        types = {
            "company": AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA,
            "service": AdvertisementDataType.SERVICE_DATA_UUID16,
        }
        scanner = BleakScanner(
            self._advertised,
            scanning_mode="passive" if mode == "passive" else "active",
            bluez={
                "adapter": self.hci,
                # With DuplicateData every advertisement is told, not only those that differ, and
                # with a limit of RSSI, which no device is below, the RSSI of each.
                "filters": {"DuplicateData": True, "RSSI": -127},
                "or_patterns": [
                    (0, types[of], number.to_bytes(2, "little")) for of, number in sorted(sections)
                ],
            },
        )
        try:
            async with asyncio.timeout(START_S_MAX):
                await scanner.start()
        except (BleakError, *BUS_ERRORS) as error:
            return f"{self} cannot scan: {said_by(error)}"
        self._scanner, self._running = scanner, wish
        self._heard_at = asyncio.get_running_loop().time()
        return ""

    async def _stop(self) -> None:
        from bleak.exc import BleakError

        from citytwin_edge.adapters.ble_watch import BUS_ERRORS

        scanner, self._scanner, self._running = self._scanner, None, None
        if scanner is None:
            return
        try:
            async with asyncio.timeout(_STOP_S_MAX):
                await scanner.stop()
        except (BleakError, *BUS_ERRORS) as error:
            _log.debug("ble.scanner_not_stopped", hci=self.hci, error=str(error))

    # ---- what is heard

    def _advertised(self, device: BLEDevice, data: AdvertisementData) -> None:
        """Take what bleak says whenever BlueZ changes anything about a device."""
        properties: Mapping[str, Any] = data.platform_data[1]
        if "RSSI" not in properties:
            return  # known to BlueZ, but not heard now
        self._heard_at = asyncio.get_running_loop().time()
        address = device.address.upper()
        for sought in self._seekers.get(address, ()):
            if not sought.done():
                sought.set_result(device)
        ears = [ear for ear in self._ears.get(address, ()) if ear.scans]
        if not ears and not self._surveys:
            return
        sections = sections_of(data.manufacturer_data, data.service_data)
        for take in self._surveys:
            take(device, data.rssi, sections)
            if address in self.names or len(self.names) < NAMES_MAX:
                self.names[address] = device.name or ""
        if not ears:
            return
        fresh = self._fresh(address, sections, properties)
        if fresh is not None:
            clock = self._clock
            now_ns, at_ns = clock.now_ns(), clock.monotonic_ns()
            heard = Heard(fresh, float(data.rssi), now_ns, at_ns, device.name or "")
            for ear in ears:
                ear.put(heard)

    def _fresh(
        self, address: str, sections: tuple[Section, ...], properties: Mapping[str, Any]
    ) -> tuple[Section, ...] | None:
        """Return the sections that a device said just now; None when it said nothing.

        BlueZ keeps what a device ever said, and bleak repeats all of it when anything changes: that
        the device was connected, say. A change of what is no part of an advertisement is none.
        """
        seen = self._seen.setdefault(address, _Seen())
        others = {name: one for name, one in properties.items() if name not in _NOT_SAID_BY_IT}
        changed = tuple(one for one in sections if seen.sections.get(one.key) != one.data)
        is_other = bool(seen.others) and seen.others != others
        seen.sections, seen.others = {one.key: one.data for one in sections}, others
        if changed:
            return changed
        return None if is_other else sections


def sections_of(
    manufacturer_data: Mapping[int, bytes], service_data: Mapping[str, bytes]
) -> tuple[Section, ...]:
    """Return what BlueZ has of a device's sections; services of 128 bits are left out."""
    found = [Section("company", number, data) for number, data in manufacturer_data.items()]
    for uuid, data in service_data.items():
        number = short_number(uuid)
        if number is not None:
            found.append(Section("service", number, data))
    return tuple(one for one in found if len(one.data) <= SECTION_BYTES_MAX)[:SECTIONS_MAX]


def said_by(error: BaseException) -> str:
    """Return what bleak or D-Bus says, in one line."""
    if isinstance(error, TimeoutError):
        return "bluetoothd gave no answer in time"
    return " ".join(str(error).split()) or type(error).__name__
