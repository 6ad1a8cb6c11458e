"""Broker: what the NGSI-LD routes stand on: @contexts, and for each tenant its entities.

A tenant (ETSI GS CIM 009, clause 4.14) is a folder of its own below the hub's state; the default
one has the empty name. Routes find the broker as ``request.app.state.ngsild``.
"""

from __future__ import annotations

import asyncio
import re
import threading
import uuid
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from citytwin.clock import Clock
from citytwin.errors import StoreError
from citytwin.files import replace
from citytwin_hub.apis.door import Keeper
from citytwin_hub.apis.ngsild.delivery import Delivery, Post
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.apis.ngsild.views import Views
from citytwin_hub.apis.personal import note, personal_of
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.entity_maps import EntityMaps
from citytwin_hub.entities.errors import BadRequestData, NonexistentTenant, TooManyResults
from citytwin_hub.entities.live_changes import LiveChanges
from citytwin_hub.entities.measured import MeasuredEvolution, Points
from citytwin_hub.entities.notices import Notice
from citytwin_hub.entities.notifier import Notifier
from citytwin_hub.entities.registrations import Registrations
from citytwin_hub.entities.snapshots import Snapshots
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution
from citytwin_hub.entities.sqlite_identities import Identities
from citytwin_hub.entities.sqlite_replay import SqliteReplay
from citytwin_hub.entities.sqlite_sources import SqliteSources
from citytwin_hub.entities.sqlite_subscriptions import SqliteSubscriptions
from citytwin_hub.entities.subscribers import Subscribers
from citytwin_hub.entities.subscriptions import Subscription
from citytwin_hub.entities.temporal import INSTANCES_MAX, Temporal
from citytwin_hub.jsonld.contexts import Contexts
from citytwin_hub.policy.grants import Rights
from citytwin_hub.policy.late import LateTwin
from citytwin_hub.policy.permit import Permit

TENANTS_MAX: Final = 100
"""Each keeps files open."""
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9:._-]{0,61}[A-Za-z0-9])?\Z")
_DEFAULT: Final = "@default"
"""The default tenant's folder: no tenant can be called that."""
_SUBSCRIPTIONS: Final = "subscriptions.db"


@dataclass(frozen=True, slots=True)
class Tenant:
    """What one tenant has.

    Attributes:
        name: empty for the default tenant.
        store: where its entities and their evolution lie.
        entities: what may be done with them.
        temporal: how they evolved.
        subscriptions: who wants to be told of their changes.
        notifier: what tells them.
        registrations: other brokers that have entities.
        identities: what its objects are called, here and elsewhere.
        snapshots: branches of its entities.
        maps: what queries found once.
        is_branch: whether its entities are those of a snapshot.
    """

    name: str
    store: SqliteEntities
    entities: Entities
    temporal: Temporal
    subscriptions: Subscribers
    notifier: Notifier
    registrations: Registrations
    identities: Identities
    snapshots: Snapshots
    maps: EntityMaps
    is_branch: bool = False


class Broker:
    """Every tenant's entities; may be used on any thread."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        contexts: Contexts,
        door: Keeper,
        *,
        points: Points | None = None,
        instances_max: int = INSTANCES_MAX,
        notify_hosts: Collection[str] = (),
        late: Callable[[Rights], LateTwin] | None = None,
    ) -> None:
        """Open the default tenant; the others when they are asked for.

        Args:
            folder: where everything lies.
            clock: what gives the time.
            contexts: what names mean.
            door: who comes in, and as what.
            points: what gives attributes of the default tenant's entities.
            instances_max: of one attribute of one entity in one answer of the temporal API.
            notify_hosts: where notifications may be sent to beside this machine (``Receivers``).
            late: what points gave, for those who see it late; None: to them it is not shown.

        Raises:
            StoreError: a file cannot be used.
        """
        self.clock, self.contexts, self.door = clock, contexts, door
        self.began_ns, self._instances_max = clock.now_ns(), instances_max
        self._points = points
        self._views = Views(clock, door, late)
        self._folder, self._lock = folder, threading.Lock()
        self._opened, self._tenants = ExitStack(), dict[str, Tenant]()
        self.receivers = Receivers(notify_hosts)
        self._post = Post(Delivery(contexts, self.receivers))
        self._open("")
        for known in sorted(folder.glob(f"*/{_SUBSCRIPTIONS}")):
            if known.parent.name != _DEFAULT:
                self._open(known.parent.name)  # its subscribers wait
        self.alias = _alias(folder / "alias")

    def tenants(self) -> list[Tenant]:
        """Return every tenant that is open."""
        with self._lock:
            return list(self._tenants.values())

    async def run(self) -> None:
        """Notify the subscribers of every tenant, until cancelled."""
        await self._post.run()

    def close(self) -> None:
        """Release every file; ``run`` has ended."""
        self._opened.close()

    def trim(self, evolution_days: int) -> int:
        """Delete how entities evolved before some days, of each tenant that was asked for.

        Returns:
            How many records were deleted.

        Raises:
            StoreError: a file cannot be written.
        """
        with self._lock:
            tenants = list(self._tenants.values())
        return sum(tenant.temporal.trim(evolution_days) for tenant in tenants)

    def tenant(self, name: str = "", *, create: bool = False) -> Tenant:
        """Return a tenant.

        Args:
            name: as ``NGSILD-Tenant`` says; empty for the default one.
            create: make it if there is none (clause 5.5.10: whoever provides, creates).

        Raises:
            BadRequestData: it cannot be a tenant's name.
            NonexistentTenant: there is none, and none is to be made.
            TooManyResults: there are as many as there may be.
        """
        with self._lock:
            known = self._tenants.get(name)
            if known is not None:
                return known
            if not _NAME.match(name):
                raise BadRequestData(
                    f"{name[:80]!r} is not a tenant's name: 1 to 63 letters, digits, '-', '_', "
                    "'.' and ':'"
                )
            if not create and not (self._folder / name).exists():
                raise NonexistentTenant(f"there is no tenant {name}")
            if len(self._tenants) >= TENANTS_MAX:
                raise TooManyResults(f"there are {TENANTS_MAX} tenants already")
            return self._open(name)

    def seen(self, tenant: Tenant, permit: Permit) -> Tenant:
        """Return a tenant as a permit shows it; itself where nothing limits that."""
        return tenant if permit.rights.is_unlimited else self._views.of(tenant, permit.rights)

    def _note(self, subscription: Subscription, notice: Notice) -> None:
        """Write down which personal attributes a subscriber is about to be told."""
        permit = self.door.of_user(subscription.owner) if subscription.owner else None
        if permit is None or not permit.rights.personal:
            return
        wanted = subscription.notify.attributes
        found: dict[str, set[str]] = {}
        for change in notice.changes:
            for entity in (change.before, change.after):
                for iri in personal_of(permit, entity) if entity is not None else ():
                    if wanted is None or iri in wanted:
                        found.setdefault(change.id, set()).add(iri)
        iris = {iri for some in found.values() for iri in some}
        note(self.door, permit, f"subscription {subscription.id}", iris, found)

    def _open(self, name: str) -> Tenant:
        folder = self._folder / (name or _DEFAULT)
        store = SqliteEntities(folder / "entities.db")
        self._opened.enter_context(closing(store))
        # Points belong to the city itself, not to whoever else has entities here.
        points = None if name else self._points
        bindings = points and points.bindings
        entities = Entities(store, self.clock, bindings)
        evolution = SqliteEvolution(store) if points is None else MeasuredEvolution(store, points)
        temporal = Temporal(evolution, self.clock, instances_max=self._instances_max)
        kept = self._opened.enter_context(closing(SqliteSubscriptions(folder / _SUBSCRIPTIONS)))
        looking = partial(self._views.onlooker, entities)
        subscribers = Subscribers(kept, SqliteReplay(store), entities.find, self.clock, looking)

        async def deliver(subscription: Subscription, notice: Notice) -> None:
            find = looking(subscription.owner).find
            await asyncio.to_thread(self._note, subscription, notice)
            await self._post.delivery.deliver(subscription, notice, find, name)

        live = points and LiveChanges(points.bindings, points.twin, store.find)
        notifier = Notifier(entities, subscribers, self.clock, deliver, live)
        self._opened.enter_context(closing(notifier))
        self._post.add(notifier)
        sources = self._opened.enter_context(closing(SqliteSources(folder / "sources.db")))
        registrations = Registrations(sources, entities.find, self.clock)
        identities = self._opened.enter_context(closing(Identities(folder / "identity.db")))
        snapshots = Snapshots(folder / "snapshots", entities, self.clock, bindings)
        self._opened.enter_context(closing(snapshots))
        tenant = Tenant(
            name, store, entities, temporal, subscribers, notifier, registrations, identities,
            snapshots, EntityMaps(self.clock),
        )  # fmt: skip
        self._tenants[name] = tenant
        return tenant


def _alias(path: Path) -> str:
    """Return the name by which this hub knows itself among others, the same for ever (5.2.40)."""
    try:
        if not path.exists():
            replace(path, lambda file: file.write(f"citytwin-{uuid.uuid4()}".encode()))
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
