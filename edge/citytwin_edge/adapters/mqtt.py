"""MQTT: devices that publish to a broker, MQTT 3.1.1 and 5, with TLS, passwords, certificates.

docs/guides/mqtt.md explains the settings.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import aiomqtt
import msgspec

from citytwin.adapter import Binding, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin_edge.wire.payload import PayloadField

QUEUE_MAX: Final = 1000
"""Messages of one device that wait to be read; the client drops those beyond."""
PROBE_S: Final = 10.0
PUBLISH_S_MAX: Final = 5.0


class MqttDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings: its broker and how it is reached."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    version: Literal["3.1.1", "5"] = "5"
    user: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    client_id: str = ""
    keep_alive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    qos: Literal[0, 1, 2] = 1

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if not self.host:
            raise ValueError("host must name the broker")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file go together")
        if (self.ca_file or self.certificate_file) and not self.tls:
            raise ValueError("ca_file and certificate_file need tls = true")
        if self.password_file and not self.user:
            raise ValueError("password_file needs user")


class MqttPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in the device's messages, and how it is commanded."""

    topic: str
    path: str = ""
    time_path: str = ""
    command_topic: str = ""
    command: str = "{value:g}"

    def __post_init__(self) -> None:
        """Refuse topics, paths and templates that cannot work (ValueError)."""
        try:
            aiomqtt.Wildcard(self.topic)
        except ValueError:
            raise ValueError(f"{self.topic!r} is not a topic or topic filter") from None
        PayloadField(self.path, self.time_path)
        if "#" in self.command_topic or "+" in self.command_topic:
            raise ValueError("command_topic must be one topic, without wildcards")
        try:
            self.command.format(value=1.0)
        except (ValueError, KeyError, IndexError):
            raise ValueError(f"{self.command!r} is not a template such as {{value:g}}") from None


class Mqtt:
    """One device on a broker: listens for as long as it is open, publishes commands."""

    def __init__(self, settings: MqttDevice, bindings: Sequence[Binding], site: Site) -> None:
        """Touch no network."""
        self._settings, self._site = settings, site
        self._points = [(binding.point, binding.address) for binding in bindings]
        self._fields = [PayloadField(one.path, one.time_path) for _, one in self._points]
        self._wildcards = [aiomqtt.Wildcard(one.topic) for _, one in self._points]
        self._client: aiomqtt.Client | None = None

    async def open(self) -> None:
        """Nothing to get ready: listening connects."""

    async def close(self) -> None:
        """Nothing is left open: listening ends with its iterator."""
        self._client = None

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what each message says; DeviceSilent when the broker is lost."""
        try:
            async with self._connection() as client:
                for topic in dict.fromkeys(one.topic for _, one in self._points):
                    await client.subscribe(topic, qos=self._settings.qos)
                self._client = client
                async for message in client.messages:
                    batch = self._batch(message)
                    if len(batch):
                        yield batch
        except (aiomqtt.MqttError, OSError) as error:
            raise DeviceSilent(f"the broker {self._settings.host}: {error}") from None
        finally:
            self._client = None

    async def write(self, point: int, value: float) -> None:
        """Publish a command; see the contract."""
        address: MqttPoint = self._points[point][1]
        if not address.command_topic:
            raise DeviceRefused("the point has no command_topic")
        if self._client is None:
            raise DeviceSilent("the broker is not connected")
        try:
            await self._client.publish(
                address.command_topic,
                address.command.format(value=value),
                qos=self._settings.qos,
                timeout=PUBLISH_S_MAX,
            )
        except (aiomqtt.MqttError, OSError) as error:
            raise DeviceSilent(f"the broker {self._settings.host}: {error}") from None

    async def probe(self) -> Sequence[Probed]:
        """Wait a while for one message of every point."""
        begun_ns = self._site.clock.monotonic_ns()
        found: dict[int, Probed] = {}
        try:
            async with asyncio.timeout(PROBE_S), self._connection() as client:
                for topic in dict.fromkeys(one.topic for _, one in self._points):
                    await client.subscribe(topic, qos=self._settings.qos)
                async for message in client.messages:
                    elapsed_ns = self._site.clock.monotonic_ns() - begun_ns
                    for one in self._probed(message, elapsed_ns):
                        found.setdefault(one.point, one)
                    if len(found) == len(self._points):
                        break
            note = ""
        except TimeoutError:
            note = f"no message within {PROBE_S:g} s"
        except (aiomqtt.MqttError, OSError) as error:
            note = str(error)
        silent = int(Quality.BAD_SILENT)
        return [
            found.get(index) or Probed(index, b"", math.nan, silent, 0, note)
            for index in range(len(self._points))
        ]

    def _connection(self) -> aiomqtt.Client:
        settings = self._settings
        version = aiomqtt.ProtocolVersion.V5
        if settings.version == "3.1.1":
            version = aiomqtt.ProtocolVersion.V311
        password = None
        if settings.password_file:
            password = Path(settings.password_file).read_text(encoding="utf-8").strip()
        return aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.user or None,
            password=password,
            identifier=settings.client_id or None,
            protocol=version,
            keepalive=settings.keep_alive_s,
            max_queued_incoming_messages=QUEUE_MAX,
            tls_context=self._tls() if settings.tls else None,
        )

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
        return context

    def _batch(self, message: Any) -> Batch:
        now_ns = self._site.clock.now_ns()
        points, times, values, codes = [], [], [], []
        for index, wildcard in enumerate(self._wildcards):
            if not message.topic.matches(wildcard):
                continue
            value, time_ns, quality, _ = self._decoded(index, message.payload)
            points.append(index)
            times.append(now_ns if time_ns is None else time_ns)
            values.append(value)
            codes.append(quality)
        return Batch.of(points, times, values, codes) if points else Batch.empty()

    def _probed(self, message: Any, elapsed_ns: int) -> list[Probed]:
        return [
            Probed(index, bytes(message.payload)[:200], value, quality, elapsed_ns, note)
            for index, wildcard in enumerate(self._wildcards)
            if message.topic.matches(wildcard)
            for value, _, quality, note in [self._decoded(index, message.payload)]
        ]

    def _decoded(self, index: int, payload: Any) -> tuple[float, int | None, int, str]:
        """Return (value, time, quality, note) of one point in a message."""
        data = payload if isinstance(payload, bytes) else str(payload or "").encode()
        try:
            value, time_ns = self._fields[index].decode(data)
            if isinstance(value, str):
                if self._points[index][0].kind != Kind.TEXT:
                    raise DeviceMalformed(f"{value[:40]!r} is not a number")
                return float(self._site.intern(value)), time_ns, Quality.GOOD, value
        except DeviceMalformed as error:
            return math.nan, None, Quality.BAD_MALFORMED, str(error)
        quality = Quality.BAD_NOT_A_NUMBER if math.isnan(value) else Quality.GOOD
        return value, time_ns, quality, ""


class _MqttType:
    """The entry point ``mqtt``."""

    device_settings = MqttDevice
    point_settings = MqttPoint

    def build(self, settings: MqttDevice, bindings: Sequence[Binding], site: Site) -> Mqtt:
        """Return the adapter; touches no network."""
        return Mqtt(settings, bindings, site)


MQTT: Final = _MqttType()
