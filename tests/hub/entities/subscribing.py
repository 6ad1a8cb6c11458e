"""A tenant with subscribers for tests, and a receiver that notes what it is told."""

from contextlib import contextmanager

from citytwin.testing import VirtualClock
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.live_changes import LiveChanges
from citytwin_hub.entities.notices import Undelivered
from citytwin_hub.entities.notifier import Notifier
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_replay import SqliteReplay
from citytwin_hub.entities.sqlite_subscriptions import SqliteSubscriptions
from citytwin_hub.entities.subscribers import Subscribers
from citytwin_hub.entities.subscriptions import EntitySelector, Notify, Subscription
from tests.hub.entities.samples import name


def subscription(number=1, kind="Tank", *, notify=None, **more):
    """Return a subscription to the entities of a type."""
    more.setdefault("selectors", (EntitySelector(types=name(kind)),) if kind else ())
    return Subscription(
        id=f"urn:ngsi-ld:Subscription:{number}",
        notify=notify or Notify(uri="http://127.0.0.1:9/notify"),
        **more,
    )


class Receiver:
    """Notes what it is told; ``down`` lets it fail."""

    def __init__(self):
        self.notices, self.down = [], False
        self.tried = 0

    async def deliver(self, subscription, notice):
        self.tried += 1
        if self.down:
            raise Undelivered("nobody is there")
        self.notices.append((subscription.id, notice))

    def told(self, attribute="level"):
        """Return what was told: (entity, value of an attribute or None), in order."""
        return [
            (change.id, value_of(change, attribute))
            for _, notice in self.notices
            for change in notice.changes
        ]


def value_of(change, attribute):
    """Return the value of an attribute after a change; None where there is none."""
    found = change.after and change.after.attribute(name(attribute))
    return found.value if found else None


class Tenant:
    """Entities, subscribers and their notifier on files of a folder."""

    def __init__(self, folder, clock, deliver, points=None):
        self.clock = clock
        self.store = SqliteEntities(folder / "entities.db")
        self.entities = Entities(self.store, clock, points and points.bindings)
        self.kept = SqliteSubscriptions(folder / "subscriptions.db")
        self.replay = SqliteReplay(self.store)
        self.subscribers = Subscribers(self.kept, self.replay, self.entities.find, clock)
        live = points and LiveChanges(points.bindings, points.twin, self.store.find)
        self.notifier = Notifier(self.entities, self.subscribers, clock, deliver, live)

    def update(self, entity_id, **attributes):
        """Update attributes of an entity, a moment later."""
        if isinstance(self.clock, VirtualClock):
            self.clock.advance(1_000)
        given = {
            name(term): given if isinstance(given, tuple) else (given,)
            for term, given in attributes.items()
        }
        self.entities.update(entity_id, Fragment(attributes=given))

    def close(self):
        """Release the files."""
        self.notifier.close()
        self.kept.close()
        self.store.close()


@contextmanager
def tenant(folder, clock, deliver, points=None):
    """Give a tenant, with what points give its entities."""
    opened = Tenant(folder, clock, deliver, points)
    try:
        yield opened
    finally:
        opened.close()
