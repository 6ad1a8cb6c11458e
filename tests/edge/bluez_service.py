"""A bluetoothd for tests, as a process of its own: BlueZ's objects on whatever bus it is given.

It answers as BlueZ 5.7x does for adapters, discovery, advertisement monitors, devices and GATT, as
far as bleak asks. What happens on the air is told to it in lines of JSON on its standard input;
each is answered with a line. Source: BlueZ, doc/org.bluez.*.rst, and src/adapter.c for when what
is heard becomes a signal.
"""

import asyncio
import json
import sys

from dbus_fast import BusType, Message, Variant
from dbus_fast.aio import MessageBus

from tests.edge.dbus_objects import OBJECTS, Tree, refused

ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
RSSI_STEP = 8
"""BlueZ tells of another RSSI when it differs by so much, or always with a limit of it."""
COMPANY_DATA, SERVICE_DATA = 0xFF, 0x16


class Bluez(Tree):
    def __init__(self, bus):
        super().__init__(bus)
        self.discovering = {}  # adapter path: {client: filter}
        self.monitors = {}  # (client, monitor's path): (adapter path, patterns)
        self.connecting = {}  # device path: ok, fail, hang
        self.refusing = {}  # characteristic's path: error name
        self.written = []

    async def on_Adapter1_SetDiscoveryFilter(self, message):
        given = {name: one.value for name, one in message.body[0].items()}
        clients = self.discovering.setdefault(message.path, {})
        was = clients.get(message.sender, {})
        clients[message.sender] = {**given, "on": was.get("on", False)}

    async def on_Adapter1_StartDiscovery(self, message):
        if not self.objects[message.path][ADAPTER]["Powered"].value:
            raise refused("NotReady", "Resource Not Ready")
        mine = self.discovering.setdefault(message.path, {}).setdefault(message.sender, {})
        if mine.get("on"):
            raise refused("InProgress", "Operation already in progress")
        mine["on"] = True
        self.set(message.path, ADAPTER, {"Discovering": Variant("b", True)})

    async def on_Adapter1_StopDiscovery(self, message):
        mine = self.discovering.get(message.path, {}).get(message.sender, {})
        if not mine.get("on"):
            raise refused("Failed", "No discovery started")
        mine["on"] = False
        self.set(message.path, ADAPTER, {"Discovering": Variant("b", False)})
        for path, own in self.objects.items():  # what was heard is not heard any more
            if path.startswith(f"{message.path}/") and "RSSI" in own.get(DEVICE, {}):
                self.set(path, DEVICE, {}, ["RSSI"])

    async def on_Adapter1_RemoveDevice(self, message):
        self.remove(message.body[0])

    async def on_AdvertisementMonitorManager1_RegisterMonitor(self, message):
        self.monitors[message.sender, message.body[0]] = (message.path, [])

    async def on_AdvertisementMonitorManager1_UnregisterMonitor(self, message):
        self.monitors.pop((message.sender, message.body[0]), None)

    def heard_signal(self, message):
        """A client has exported the monitor that it had registered: activate it."""
        if message.member != "InterfacesAdded" or not message.body:
            return
        key = (message.sender, message.body[0])
        given = message.body[1].get("org.bluez.AdvertisementMonitor1")
        if key in self.monitors and given is not None:
            self.monitors[key] = (self.monitors[key][0], given["Patterns"].value)
            self.bus.send(
                Message(destination=key[0], path=key[1], member="Activate",
                        interface="org.bluez.AdvertisementMonitor1")
            )  # fmt: skip

    async def on_Device1_Connect(self, message):
        how = self.connecting.get(message.path, "ok")
        if how == "hang":
            await asyncio.sleep(60)
        if how != "ok":
            raise refused("Failed", "le-connection-abort-by-remote")
        self.set(message.path, DEVICE, {"Connected": Variant("b", True)})
        self.set(message.path, DEVICE, {"ServicesResolved": Variant("b", True)})

    async def on_Device1_Disconnect(self, message):
        self.part(message.path)

    def part(self, path):
        self.set(path, DEVICE, {"ServicesResolved": Variant("b", False)})
        self.set(path, DEVICE, {"Connected": Variant("b", False)})

    async def on_GattCharacteristic1_ReadValue(self, message):
        if message.path in self.refusing:
            raise refused(self.refusing[message.path], "Read not permitted")
        return "ay", [self.objects[message.path][CHARACTERISTIC]["Value"].value]

    async def on_GattCharacteristic1_WriteValue(self, message):
        if message.path in self.refusing:
            raise refused(self.refusing[message.path], "Write not permitted")
        data, options = bytes(message.body[0]), message.body[1]
        self.written.append([data.hex(), options["type"].value])
        self.objects[message.path][CHARACTERISTIC]["Value"] = Variant("ay", data)

    async def on_GattCharacteristic1_StartNotify(self, message):
        self.set(message.path, CHARACTERISTIC, {"Notifying": Variant("b", True)})

    async def on_GattCharacteristic1_StopNotify(self, message):
        self.set(message.path, CHARACTERISTIC, {"Notifying": Variant("b", False)})

    # ---- the air
    def do_adapter(self, hci="hci0", powered=True, monitors=False, blocked=False):
        """Plug an adapter in."""
        state = "off-blocked" if blocked else "on" if powered else "off"
        interfaces = {
            ADAPTER: {
                "Address": Variant("s", "00:1A:7D:DA:71:13"),
                "Name": Variant("s", "gateway"),
                "Alias": Variant("s", "gateway"),
                "Powered": Variant("b", powered),
                "PowerState": Variant("s", state),
                "Discovering": Variant("b", False),
                "Roles": Variant("as", ["central", "peripheral"]),
                "UUIDs": Variant("as", []),
            }
        }
        if monitors:
            interfaces[MONITORS] = {"SupportedMonitorTypes": Variant("as", ["or_patterns"])}
        self.add(f"/org/bluez/{hci}", interfaces)

    def do_unplug(self, hci="hci0"):
        """Pull the adapter out."""
        self.remove(f"/org/bluez/{hci}")
        self.discovering.pop(f"/org/bluez/{hci}", None)

    def do_power(self, on, hci="hci0", blocked=False):
        """Switch the adapter on or off."""
        state = "on" if on else "off-blocked" if blocked else "off"
        changed = {"Powered": Variant("b", on), "PowerState": Variant("s", state)}
        if not on:
            self.discovering.pop(f"/org/bluez/{hci}", None)
            changed["Discovering"] = Variant("b", False)
        self.set(f"/org/bluez/{hci}", ADAPTER, changed)

    def do_advertise(self, address, company=(), service=(), name="", rssi=-60, hci="hci0"):
        """Let a device say something; return whether anybody wanted to hear it."""
        company = {int(number, 16): bytes.fromhex(data) for number, data in dict(company).items()}
        service = {int(number, 16): bytes.fromhex(data) for number, data in dict(service).items()}
        adapter = f"/org/bluez/{hci}"
        active = [one for one in self.discovering.get(adapter, {}).values() if one.get("on")]
        if not active and not self.matches(adapter, company, service):
            return False
        path = f"{adapter}/dev_{address.replace(':', '_')}"
        is_new = path not in self.objects
        if is_new:
            self.add(path, {DEVICE: self.device(address, adapter)})
        own = self.objects[path][DEVICE]
        changed = {}
        before = own["RSSI"].value if "RSSI" in own else None
        exact = any("RSSI" in one for one in active)
        if before is None or (before != rssi if exact else abs(before - rssi) >= RSSI_STEP):
            changed["RSSI"] = Variant("n", rssi)
        if name and own["Alias"].value != name:
            changed |= {"Name": Variant("s", name), "Alias": Variant("s", name)}
        repeats = any(one.get("DuplicateData") for one in active)
        for key, said, typ in (
            ("ManufacturerData", company, "a{qv}"),
            ("ServiceData", service, "a{sv}"),
        ):
            known = dict(own[key].value) if key in own else {}
            wanted = dict(known)
            for number, data in said.items():
                at = number if typ == "a{qv}" else f"0000{number:04x}-0000-1000-8000-00805f9b34fb"
                wanted[at] = Variant("ay", data)
            if said and (repeats or wanted != known):
                changed[key] = Variant(typ, wanted)
        if changed:
            self.set(path, DEVICE, changed)
        return True

    def matches(self, adapter, company, service):
        sections = [(COMPANY_DATA, number, data) for number, data in company.items()]
        sections += [(SERVICE_DATA, number, data) for number, data in service.items()]
        return any(
            kind == wanted
            and (number.to_bytes(2, "little") + data)[start:].startswith(bytes(content))
            for where, patterns in self.monitors.values()
            if where == adapter
            for start, wanted, content in patterns
            for kind, number, data in sections
        )

    @staticmethod
    def device(address, adapter):
        return {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "public"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Paired": Variant("b", False),
            "Trusted": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "UUIDs": Variant("as", ["00001800-0000-1000-8000-00805f9b34fb"]),
            "Adapter": Variant("o", adapter),
        }

    def do_property(self, address, name, signature, value, hci="hci0"):
        """Change something of a device that it has not said."""
        path = f"/org/bluez/{hci}/dev_{address.replace(':', '_')}"
        self.set(path, DEVICE, {name: Variant(signature, value)})

    def do_unheard(self, address, hci="hci0"):
        """Note that a device is not heard any more: BlueZ takes its RSSI away."""
        path = f"/org/bluez/{hci}/dev_{address.replace(':', '_')}"
        self.set(path, DEVICE, {}, ["RSSI"])

    def do_forget(self, address, hci="hci0"):
        """Forget a device that was not heard for long."""
        self.remove(f"/org/bluez/{hci}/dev_{address.replace(':', '_')}")

    def do_gatt(self, address, characteristics, hci="hci0"):
        """Give a device characteristics: {uuid: [flags, value]}."""
        path = f"/org/bluez/{hci}/dev_{address.replace(':', '_')}"
        if path not in self.objects:
            self.add(path, {DEVICE: self.device(address, f"/org/bluez/{hci}")})
        service = f"{path}/service0010"
        uuid = "0000181a-0000-1000-8000-00805f9b34fb"
        self.add(
            service,
            {SERVICE: {"UUID": Variant("s", uuid), "Device": Variant("o", path),
                       "Primary": Variant("b", True), "Includes": Variant("ao", [])}},
        )  # fmt: skip
        for place, (own, (flags, value)) in enumerate(characteristics.items()):
            self.add(
                f"{service}/char{0x11 + 2 * place:04x}",
                {CHARACTERISTIC: {
                    "UUID": Variant("s", own), "Service": Variant("o", service),
                    "Value": Variant("ay", bytes.fromhex(value)), "Notifying": Variant("b", False),
                    "Flags": Variant("as", flags), "MTU": Variant("q", 247),
                }},
            )  # fmt: skip

    def found(self, uuid):
        return next(
            path
            for path, own in self.objects.items()
            if CHARACTERISTIC in own and own[CHARACTERISTIC]["UUID"].value == uuid
        )

    def do_value(self, uuid, value, notify=False):
        """Give a characteristic another value, and tell those who wait for it."""
        path = self.found(uuid)
        changed = {"Value": Variant("ay", bytes.fromhex(value))}
        if notify and self.objects[path][CHARACTERISTIC]["Notifying"].value:
            self.set(path, CHARACTERISTIC, changed)
        else:
            self.objects[path][CHARACTERISTIC].update(changed)

    def do_refuse(self, uuid, error):
        """Answer reads and writes of a characteristic with an error; empty: with what is asked."""
        self.refusing[self.found(uuid)] = error
        if not error:
            del self.refusing[self.found(uuid)]

    def do_connecting(self, address, how, hci="hci0"):
        """Let connections succeed (ok), fail or hang."""
        self.connecting[f"/org/bluez/{hci}/dev_{address.replace(':', '_')}"] = how

    def do_part(self, address, hci="hci0"):
        """Let a device end its connection."""
        self.part(f"/org/bluez/{hci}/dev_{address.replace(':', '_')}")

    def do_state(self):
        """Return what goes on."""
        return {
            "active": [
                {name: one for name, one in given.items() if name != "on"}
                for clients in self.discovering.values()
                for given in clients.values()
                if given.get("on")
            ],
            "patterns": sorted(
                [start, kind, bytes(content).hex()]
                for _, patterns in self.monitors.values()
                for start, kind, content in patterns
            ),
            "connected": [
                own[DEVICE]["Address"].value
                for own in self.objects.values()
                if DEVICE in own and own[DEVICE]["Connected"].value
            ],
            "notifying": [
                own[CHARACTERISTIC]["UUID"].value
                for own in self.objects.values()
                if CHARACTERISTIC in own and own[CHARACTERISTIC]["Notifying"].value
            ],
            "written": self.written,
            "calls": self.calls,
        }


async def main():
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bluez = Bluez(bus)
    bus.add_message_handler(bluez.handle)
    await bus.call(
        Message(destination="org.freedesktop.DBus", path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus", member="AddMatch", signature="s",
                body=[f"type='signal',interface='{OBJECTS}',member='InterfacesAdded'"])
    )  # fmt: skip
    await bus.request_name("org.bluez")
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await lines.readline():
        answer = None
        for order in json.loads(line):
            given = dict(order)
            answer = getattr(bluez, f"do_{given.pop('do')}")(**given)
            # dbus-fast ends a connection of which the socket is full: give the bus time to read.
            await asyncio.sleep(0.001)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
