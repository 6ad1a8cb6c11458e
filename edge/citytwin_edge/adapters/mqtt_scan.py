"""A look around a broker: which devices or topics there are, and what a probe is told of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import aiomqtt

from citytwin.adapter import Direction, Found, Site
from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.mqtt_client import Client
from citytwin_edge.adapters.mqtt_dialects import DIALECTS
from citytwin_edge.adapters.mqtt_settings import MqttDevice, MqttPoint
from citytwin_edge.wire.announcements import Device, tasmota_device, zigbee_devices
from citytwin_edge.wire.mqtt_publish import Message

SCAN_S: Final = 10.0
MESSAGES_MAX: Final = 1000
FOUND_MAX: Final = 1000
EXCERPT_CHARS_MAX: Final = 60
SHOWN_MAX: Final = 12
_TASMOTA: Final = "tasmota/discovery"


def scan_topics(settings: MqttDevice) -> tuple[str, ...]:
    """Return what is listened to, to find out what there is."""
    base = settings.base or (DIALECTS[settings.dialect].base if settings.dialect else "")
    return {
        "zigbee2mqtt": (f"{base}/bridge/devices",),
        "tasmota": (f"{_TASMOTA}/+/config",),
        "thethingsstack": ("v3/+/devices/+/up",),
        "thingsboard": (f"{base}/gateway/telemetry", f"{base}/gateway/connect"),
    }.get(settings.dialect, ("#",))


async def look_around(settings: MqttDevice, site: Site) -> AsyncIterator[Found]:
    """Yield what is on the broker, each once, on a connection of its own.

    Raises:
        DeviceSilent: the broker cannot be reached, or gives nothing of it.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=MESSAGES_MAX)

    def arrived(message: Message) -> None:
        with suppress(asyncio.QueueFull):
            messages.put_nowait(message)

    connection = settings.connection()
    own_id = settings.client_id and f"{settings.client_id}-probe"
    line = f"{settings.host}:{settings.port}"
    try:
        client = Client(replace(connection, session_s=0), arrived, own_id)
    except OSError as error:
        raise DeviceSilent(f"{connection}: {error}") from None
    if why := await client.enter():
        raise DeviceSilent(f"{connection}: {why}")
    met: set[str] = set()
    try:
        for topic in scan_topics(settings):
            if why := await client.ask_for(topic, 0):
                raise DeviceSilent(f"{connection} refuses the topic {topic}: {why}")
        until_ns = site.clock.monotonic_ns() + round(SCAN_S * SECOND_NS)
        while (left_ns := until_ns - site.clock.monotonic_ns()) > 0 and len(met) < FOUND_MAX:
            try:
                async with asyncio.timeout(left_ns / SECOND_NS):
                    message = await messages.get()
            except TimeoutError:
                break
            payload = message.payload
            site.tap(line, Direction.RECEIVED, payload, note=message.topic)
            for found in told(settings.dialect, message.topic, payload):
                if found.address not in met:
                    met.add(found.address)
                    yield found
    except aiomqtt.MqttError as error:
        raise DeviceSilent(f"{connection}: {error}") from None
    finally:
        await client.leave()


def told(dialect: str, topic: str, payload: bytes) -> Iterator[Found]:
    """Yield the devices that a message tells of; in no dialect the topic itself."""
    if dialect == "zigbee2mqtt":
        for one in zigbee_devices(payload):
            yield Found(fields(topic_name=one.name), _described(one), says=one.says)
    elif dialect == "tasmota":
        device = tasmota_device(payload)
        if device is not None:
            usual = device.base in {"", DIALECTS[dialect].base}
            base = {} if usual else {"base": device.base}
            where = fields(topic_name=device.name, **base)
            yield Found(where, device.model, says=device.says)
    elif dialect == "thethingsstack":
        levels = topic.split("/")
        if len(levels) == 5:
            yield Found(fields(base=levels[1], topic_name=levels[3]), _excerpt(payload))
    elif dialect == "thingsboard":
        yield from _of_gateway(payload)
    elif topic:
        yield Found(fields(topic=topic), _excerpt(payload))


def fields(**given: str) -> str:
    """Return fields of a ``[[device]]`` as a technician writes them."""
    return "\n".join(
        f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in given.items()
    )


def _of_gateway(payload: bytes) -> Iterator[Found]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return
    if not isinstance(said, dict):
        return
    if isinstance(said.get("device"), str):
        yield Found(fields(topic_name=said["device"]), "has connected")
        return
    for name, records in said.items():
        last = records[-1] if isinstance(records, list) and records else records
        values = last.get("values", last) if isinstance(last, dict) else {}
        names = list(values)[:SHOWN_MAX] if isinstance(values, dict) else []
        yield Found(fields(topic_name=name), ", ".join(map(str, names)))


def _described(device: Device) -> str:
    shown = [str(one) for one in device.properties.values()]
    more = f" and {len(shown) - SHOWN_MAX} more" if len(shown) > SHOWN_MAX else ""
    return f"{device.model}: {', '.join(shown[:SHOWN_MAX])}{more}" if shown else device.model


def _excerpt(payload: bytes) -> str:
    text = payload[: 4 * EXCERPT_CHARS_MAX].decode("utf-8", "replace")[:EXCERPT_CHARS_MAX]
    return text if text.isprintable() and "\ufffd" not in text else f"{len(payload)} bytes"


# ---- what a probe can be told


def hint_topics(settings: MqttDevice) -> tuple[str, ...]:
    """Return where a bridge says which devices it has, and what they can."""
    return scan_topics(settings) if settings.dialect == "zigbee2mqtt" else ()


def hints(settings: MqttDevice, addresses: Sequence[MqttPoint], message: Message) -> dict[int, str]:
    """Return what is wrong with points, by what a bridge says of their device."""
    if message.topic not in hint_topics(settings):
        return {}
    import difflib  # a running gateway needs none

    devices = {one.name: one for one in zigbee_devices(message.payload)}
    name = next(iter(_topic_names(settings)), "")
    device = devices.get(name)
    if device is None:
        near = difflib.get_close_matches(name, devices, 3, 0.5) or list(devices)[:SHOWN_MAX]
        note = f"Zigbee2MQTT has no device {name!r}; it has {', '.join(near) or 'none'}"
        return dict.fromkeys(range(len(addresses)), note)
    found: dict[int, str] = {}
    for index, address in enumerate(addresses):
        if address.path and address.path not in device.properties:
            near = difflib.get_close_matches(address.path, device.properties, 3, 0.5)
            shown = near or list(device.properties)[:SHOWN_MAX]
            found[index] = (
                f"{device.model} has nothing at {address.path}; it has {', '.join(shown)}"
            )
    return found


def _topic_names(settings: MqttDevice) -> Iterator[str]:
    """Yield what the device is called, by its topics as they are written out."""
    base = settings.base or DIALECTS[settings.dialect].base
    for topic in settings.topic:
        if topic.startswith(f"{base}/"):
            yield topic.removeprefix(f"{base}/")
