"""Objects on a message bus for tests: a tree of properties, its signals, and calls by name."""

import asyncio

from dbus_fast import Message, MessageType

OBJECTS, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"


class Refusal(Exception):
    """A D-Bus error."""


def refused(name, text=""):
    return Refusal(f"org.bluez.Error.{name}", text)


class Tree:
    """What a service has on the bus; ``Interface1.Member`` is answered by ``on_Interface1_Member``.

    That returns signature and body, or nothing.
    """

    def __init__(self, bus):
        self.bus = bus
        self.objects = {}
        self.calls = []
        self.answering = set()

    # ---- objects
    def add(self, path, interfaces):
        own = self.objects.setdefault(path, {})
        own.update(interfaces)
        self.signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path):
        for child in [one for one in self.objects if one.startswith(f"{path}/")]:
            self.remove(child)
        gone = self.objects.pop(path, None)
        if gone is not None:
            self.signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, list(gone)])

    def signal(self, path, interface, member, signature, body):
        self.bus.send(Message.new_signal(path, interface, member, signature, body))

    def set(self, path, interface, changed, gone=()):
        own = self.objects[path][interface]
        own.update(changed)
        for name in gone:
            own.pop(name, None)
        body = [interface, changed, list(gone)]
        self.signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    # ---- calls
    def handle(self, message):
        if message.message_type == MessageType.SIGNAL:
            self.heard_signal(message)
            return None
        if message.message_type != MessageType.METHOD_CALL:
            return None
        if message.interface == "org.freedesktop.DBus.Introspectable":
            return None
        task = asyncio.ensure_future(self.answer(message))
        self.answering.add(task)
        task.add_done_callback(self.answering.discard)
        return True

    async def answer(self, message):
        name = f"{message.interface.rpartition('.')[2]}.{message.member}"
        self.calls.append(name)
        try:
            signature, body = await self.called(name, message)
        except Refusal as error:
            await self.bus.send(Message.new_error(message, *error.args))
        else:
            await self.bus.send(Message.new_method_return(message, signature, body))

    async def called(self, name, message):
        if name == "ObjectManager.GetManagedObjects":
            return "a{oa{sa{sv}}}", [self.objects]
        own = self.objects.get(message.path)
        if own is None:
            raise Refusal("org.freedesktop.DBus.Error.UnknownObject", "unknown object")
        if message.interface == PROPERTIES:
            interface = message.body[0]
            if name == "Properties.GetAll":
                return "a{sv}", [own[interface]]
            if name == "Properties.Get":
                return "v", [own[interface][message.body[1]]]
        method = getattr(self, f"on_{name.replace('.', '_')}", None)
        if message.interface not in own or method is None:
            raise Refusal("org.freedesktop.DBus.Error.UnknownMethod", f"no method {name}")
        return await method(message) or ("", [])

    def heard_signal(self, message):
        """Take a signal of somebody else."""
