"""A look at Sparkplug nodes by somebody who is no host application: for probes and scans.

The host application of the running agent is left alone: this is another client, which says of
itself neither that it is there nor that it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, NamedTuple

from citytwin.adapter import Direction, Site
from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.mqtt_client import Client, Said
from citytwin_edge.adapters.sparkplug_line import published, wait_s
from citytwin_edge.adapters.sparkplug_settings import SparkplugDevice
from citytwin_edge.wire.mqtt_publish import Message
from citytwin_edge.wire.sparkplug_host import Host, Key
from citytwin_edge.wire.sparkplug_node import Event, Now

MESSAGES_MAX: Final = 1000


class Look(NamedTuple):
    """One thing that was seen: the message that told it, and whose it is."""

    payload: bytes
    key: Key
    event: Event


async def look(
    settings: SparkplugDevice, host: Host, topics: str, site: Site, look_s: float
) -> AsyncIterator[Look]:
    """Yield what nodes tell within so many seconds.

    Raises:
        DeviceSilent: the broker cannot be reached, or does not give the topics.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=MESSAGES_MAX)

    def arrived(message: Message) -> None:
        with suppress(asyncio.QueueFull):
            messages.put_nowait(message)

    clock, line = site.clock, f"{settings.host}:{settings.port}"

    async def say(client: Client, said: Said) -> None:
        site.tap(line, Direction.SENT, said.payload, note=said.topic)
        await client.say(said)

    def now() -> Now:
        return Now(clock.now_ns(), clock.monotonic_ns())

    connection = settings.connection()
    own_id = settings.client_id and f"{settings.client_id}-probe"
    try:
        client = Client(connection, arrived, own_id)
    except OSError as error:
        raise DeviceSilent(f"{connection}: {error}") from None
    if why := await client.enter():
        raise DeviceSilent(f"{connection}: {why}")
    try:
        if why := await client.ask_for(topics, 1):
            raise DeviceSilent(f"{connection} refuses the topic {topics}: {why}")
        host.connected(now())
        until_ns = now().monotonic_ns + round(look_s * SECOND_NS)
        while (left_ns := until_ns - now().monotonic_ns) > 0:
            payload = b""
            try:
                timeout_s = min(wait_s(host, now()), left_ns / SECOND_NS)
                async with asyncio.timeout(timeout_s):
                    message = await messages.get()
            except TimeoutError:
                events = host.tick(now())
            else:
                payload = message.payload
                topic = message.topic
                site.tap(line, Direction.RECEIVED, payload, note=topic)
                events = host.take(topic, payload, now(), is_retained=message.retain)
            for key, event in events:
                yield Look(payload, key, event)
            await published(client, host, say)
    finally:
        await client.leave()
