"""Views: a tenant as some rights show it, and subscribers who are told no more than that."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin_hub.apis.door import Keeper
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.entity_maps import EntityMaps
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Change
from citytwin_hub.policy.grants import Act, Rights
from citytwin_hub.policy.guarded import Guarded
from citytwin_hub.policy.late import Late, LateTwin
from citytwin_hub.policy.past import GuardedEvolution
from citytwin_hub.policy.sight import Sight

if TYPE_CHECKING:
    from citytwin_hub.apis.ngsild.broker import Tenant

VIEWS_MAX: Final = 1_000
"""Tenants as some rights show them, that are kept."""
OWNER_NS: Final = 5 * SECOND_NS
"""So long it is remembered what an owner of subscriptions may."""
OWNERS_MAX: Final = 10_000
_NOTHING: Final = Rights((), ())


class Views:
    """Tenants as permits show them; for any thread."""

    def __init__(
        self, clock: Clock, door: Keeper, late: Callable[[Rights], LateTwin] | None
    ) -> None:
        """Take a clock, what says who may do what, and what points gave (see ``Broker``)."""
        self._clock, self._door, self._late = clock, door, late
        self._lock = threading.Lock()
        self._views: dict[tuple[str, Rights], Tenant] = {}
        self._owners: dict[str, tuple[int, Rights]] = {}

    def of(self, tenant: Tenant, rights: Rights) -> Tenant:
        """Return a tenant as some rights show it."""
        if tenant.is_branch:  # another one each time
            return self._made(tenant, rights, Act.PLAN)
        with self._lock:
            known = self._views.get((tenant.name, rights))
            if known is None:
                if len(self._views) >= VIEWS_MAX:
                    self._views.clear()
                known = self._views[tenant.name, rights] = self._made(tenant, rights, Act.WRITE)
            return known

    def onlooker(self, entities: Entities, owner: str) -> Onlooker:
        """Return the owner of a subscription; who has none sees everything."""
        return Onlooker(entities, lambda: self._rights(owner) if owner else None)

    def _made(self, tenant: Tenant, rights: Rights, act: Act) -> Tenant:
        reading, writing = Sight(rights, Act.READ), Sight(rights, act)
        evolution = GuardedEvolution(tenant.temporal.store, reading, writing)
        late = None
        if rights.is_coarse and not tenant.is_branch:
            late = self._lately(tenant, rights)
        return dataclasses.replace(
            tenant,
            entities=Guarded(tenant.entities, reading, writing, late),
            temporal=tenant.temporal.on(evolution),
            maps=EntityMaps(self._clock),
        )

    def _lately(self, tenant: Tenant, rights: Rights) -> Late:
        twin = self._late(rights) if self._late is not None else None
        bindings = tenant.entities.bindings if twin is not None else None
        return Late(tenant.temporal, twin or _Stopped(self._clock, rights), bindings)

    def _rights(self, owner: str) -> Rights:
        """Return what an owner may see of changes now."""
        now_ns = self._clock.monotonic_ns()
        known = self._owners.get(owner)
        if known is None or now_ns - known[0] >= OWNER_NS:
            permit = self._door.of_user(owner)
            told = permit is not None and permit.may(Act.SUBSCRIBE) and permit.may(Act.READ)
            known = (now_ns, permit.rights if permit is not None and told else _NOTHING)
            if len(self._owners) >= OWNERS_MAX:
                self._owners.clear()
            self._owners[owner] = known
        return known[1]


class Onlooker:
    """Who made a subscription, as he may see changes at each moment; for any thread."""

    def __init__(self, entities: Entities, rights: Callable[[], Rights | None]) -> None:
        """Take all entities, and what gives his rights; None: everything."""
        self._entities, self._rights = entities, rights
        self._of: Rights | None = None
        self._sight: Sight | None = None

    def change(self, change: Change) -> Change | None:
        """Return a change as he sees it; None: he sees nothing of it."""
        sight = self._looks()
        if sight is None:
            return change
        before = change.before and sight.show(change.before)
        after = change.after and sight.show(change.after)
        return None if before is None and after is None else Change(before, after)

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that he sees."""
        found, sight = self._entities.find(ids), self._looks()
        if sight is None:
            return found
        shown = {one: sight.show(entity) for one, entity in found.items()}
        return {one: entity for one, entity in shown.items() if entity is not None}

    def _looks(self) -> Sight | None:
        rights = self._rights()
        if rights is None or rights.is_whole(Act.READ):
            return None
        if rights is not self._of or self._sight is None:
            self._of, self._sight = rights, Sight(rights, Act.READ)
        return self._sight


class _Stopped(LateTwin):
    """A twin of which nothing is shown."""

    def __init__(self, clock: Clock, rights: Rights) -> None:
        self._clock, self.rights = clock, rights
