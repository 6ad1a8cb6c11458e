"""Delivery: sends notifications to receivers by HTTP (clause 6.3.9) and MQTT (clause 7.2)."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from citytwin_hub.apis.ngsild.mqtt_delivery import MqttDelivery
from citytwin_hub.apis.ngsild.notifications import Message, compose
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.notices import Notice, Undelivered
from citytwin_hub.entities.notifier import Notifier
from citytwin_hub.entities.subscriptions import Subscription
from citytwin_hub.jsonld.contexts import Contexts

TIMEOUT_S_DEFAULT: Final = 5.0
"""For a receiver to take a notification, where the subscription does not say."""
TIMEOUT_S_MAX: Final = 60.0
"""For one step of a request; the whole of it has the time-out of its subscription."""
CONNECTIONS_MAX: Final = 100
KEPT_MAX: Final = 50
"""Connections that stay open for the next notification."""


class Delivery:
    """Sends notifications of every tenant; belongs to one event loop."""

    def __init__(self, contexts: Contexts, receivers: Receivers) -> None:
        """Begin.

        Args:
            contexts: what names in notifications are called.
            receivers: who may be called.
        """
        self._contexts, self._receivers = contexts, receivers
        self._http: httpx.AsyncClient | None = None
        self._mqtt = MqttDelivery()

    async def close(self) -> None:
        """Close what is connected."""
        await self._mqtt.close()
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def deliver(
        self, subscription: Subscription, notice: Notice, find: Find, tenant: str
    ) -> None:
        """Send a notification.

        Raises:
            Undelivered: the receiver did not take it.
            EntityError: it cannot be written, or the receiver may not be called any more.
        """
        receiver = self._receivers.read(subscription.notify.uri)
        context = await self._contexts.load(subscription.context, tenant)
        loop = asyncio.get_running_loop()
        message = await loop.run_in_executor(
            None, compose, subscription, notice, context, find, tenant
        )
        if message is None:
            return
        timeout_s = (subscription.notify.timeout_ms or TIMEOUT_S_DEFAULT * 1000) / 1000
        try:
            async with asyncio.timeout(timeout_s):
                if receiver.is_mqtt:
                    await self._mqtt.send(receiver, subscription.notify.notifier_info, message)
                else:
                    await self._post(receiver.uri, message)
        except TimeoutError:
            raise Undelivered(f"{receiver.host} did not answer within {timeout_s:g} s") from None

    async def _post(self, uri: str, message: Message) -> None:
        if self._http is None:
            limits = httpx.Limits(
                max_connections=CONNECTIONS_MAX, max_keepalive_connections=KEPT_MAX
            )
            self._http = httpx.AsyncClient(
                limits=limits, timeout=TIMEOUT_S_MAX, follow_redirects=False, trust_env=False
            )
        header = message.header | {"Content-Type": message.media}
        try:
            async with self._http.stream(
                "POST", uri, content=message.body(), headers=header
            ) as answer:
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise Undelivered(f"{uri} cannot be reached: {reason}") from error
        if not 200 <= status < 300:
            raise Undelivered(f"{uri} answered with status {status}")


class Post:
    """The notifiers of all tenants and what they send with."""

    def __init__(self, delivery: Delivery) -> None:
        """Begin without tenants."""
        self.delivery = delivery
        self._notifiers: list[Notifier] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, notifier: Notifier) -> None:
        """Let a tenant's notifier run; on any thread."""
        self._notifiers.append(notifier)
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._start, notifier)

    async def run(self) -> None:
        """Notify, until cancelled."""
        self._loop, self._started = asyncio.get_running_loop(), set[int]()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for notifier in list(self._notifiers):
                    self._start(notifier)
                await self._loop.create_future()
        finally:
            self._loop = None
            await self.delivery.close()

    def _start(self, notifier: Notifier) -> None:
        # It may be added while those that are there are started.
        if id(notifier) not in self._started:
            self._started.add(id(notifier))
            self._tasks.create_task(notifier.run(), name="notifier")
