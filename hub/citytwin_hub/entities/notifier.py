"""Notifier: tells the subscribers of one tenant what changed, and loses nothing on the way.

What is written is matched on a thread of its own and put into the mailboxes of those whom it
concerns; so is what points gave (``live_changes.py``). For each of them with something to be told
one task sends, waits as he wants to be left alone, and after a failure tries again, at longer and
longer intervals but without end. A mailbox that overflows, a receiver that was away, a hub that was
stopped: all go on from the last record that is known to have been told, out of the evolution. So a
notification may come twice after a crash, and never not at all. (ETSI GS CIM 009, clause 5.8.6.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from msgspec.structs import replace

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin.errors import CityTwinError, StoreError
from citytwin_hub.entities.backlog import Backlog
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.live_changes import LiveChanges
from citytwin_hub.entities.mailbox import ENTITIES_MAX, Item, Mailbox
from citytwin_hub.entities.matching import Watch
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.notices import Deliver, Lag, Notice
from citytwin_hub.entities.sqlite_subscriptions import Passed
from citytwin_hub.entities.store import Box, Change, Hints
from citytwin_hub.entities.subscribers import Entry, Subscribers
from citytwin_hub.entities.subscriptions import Progress, Status

SAVE_S: Final = 1.0
"""How often is written down how far everybody was told; what a crash takes is told again."""
LOOK_S: Final = 0.2
"""How often is looked at what points gave; several samples between two looks are told as one."""
SENDING_MAX: Final = 100
"""Notifications under way at one time, of one tenant."""
DELAYS_MAX: Final = 10_000
"""Notifications whose delay is remembered."""
FAILURE_CHARS_MAX: Final = 300

_log = structlog.get_logger(__name__)


class Notifier:
    """Tells the subscribers of one tenant; ``run`` belongs to one event loop."""

    def __init__(
        self,
        entities: Entities,
        subscribers: Subscribers,
        clock: Clock,
        deliver: Deliver,
        live: LiveChanges | None = None,
    ) -> None:
        """Listen to what is written, to what becomes of subscriptions, and to points (``live``)."""
        self._entities, self._subscribers = entities, subscribers
        self._clock, self._deliver = clock, deliver
        self._loop: asyncio.AbstractEventLoop | None = None
        self._backlog = Backlog(self._wake)
        self._wakened = asyncio.Event()
        self._boxes: dict[str, Mailbox] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(SENDING_MAX)
        self._matching = ThreadPoolExecutor(1, "matching")
        self._saved: dict[str, Progress] = {}
        self._saved_passed: Passed | None = None
        self._live = live
        head = subscribers.replay.head()
        passed = subscribers.store.passed()
        self.passed = head if passed is None else min(passed.number, head)
        """The last record that was matched with the subscriptions."""
        self._live_passed_ns = None if passed is None else passed.received_ns
        """When the newest sample was received that was matched with the subscriptions."""
        self.delays_ns: deque[int] = deque(maxlen=DELAYS_MAX)
        """From the change to the receiver's answer, of the last notifications."""
        entities.observers.append(self._backlog.put)
        subscribers.listeners.append(self._changed)

    def close(self) -> None:
        """Stop listening; ``run`` has ended."""
        self._entities.observers.remove(self._backlog.put)
        self._subscribers.listeners.remove(self._changed)
        self._matching.shutdown(cancel_futures=True)

    async def run(self) -> None:
        """Tell everybody, until cancelled."""
        self._loop = loop = asyncio.get_running_loop()
        if self._live is not None:
            await loop.run_in_executor(self._matching, self._live.begin, self._live_passed_ns)
            self._live_passed_ns = self._live.received_ns
        for entry in self._subscribers.all():
            self._box(entry)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._group = tasks
                for entry in self._subscribers.all():
                    self._refresh(entry)
                tasks.create_task(self._match(), name="matching")
                tasks.create_task(self._saving(), name="cursors")
                if self._live is not None:
                    tasks.create_task(self._follow(self._live), name="points")
        finally:
            self._loop = None
            self._tasks.clear()
            self._saved_passed = self._subscribers.store.save(*self._unsaved())

    def lag(self, subscription_id: str) -> Lag:
        """Return how far a subscriber is behind; on any thread."""
        box, head = self._boxes.get(subscription_id), self._subscribers.replay.head()
        if box is None:
            return Lag(0, None, 0)
        cursor = box.cursor
        if cursor is None:
            cursor = max(self.passed, box.passed)
        return Lag(max(head - cursor, 0), box.since_ns, box.pending)

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._wakened.set)

    def _changed(self, subscription_id: str) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._reload, subscription_id)

    def _reload(self, subscription_id: str) -> None:
        """Take a subscription as it is now."""
        task = self._tasks.pop(subscription_id, None)
        if task is not None:
            task.cancel()
        entry = self._subscribers.look(subscription_id)
        if entry is None:
            self._boxes.pop(subscription_id, None)
            self._saved.pop(subscription_id, None)
            return
        box = self._box(entry)
        if entry.rewound is not None:
            box.rewind(entry.rewound, self._clock.now_ns())
            entry.rewound = None
        box.failures, box.ready_ns = 0, 0
        self._refresh(entry)

    def _box(self, entry: Entry) -> Mailbox:
        subscription_id = entry.subscription.id
        box = self._boxes.get(subscription_id)
        if box is None:
            cursor = entry.progress.cursor
            if cursor is None or cursor >= self.passed:
                box = Mailbox(max(self.passed, cursor or 0))
            else:
                box = Mailbox(self.passed, behind=cursor)
                box.since_ns = self._clock.now_ns()
            if entry.progress.live_ns is not None and self._live is not None:
                box.fall_live_behind(entry.progress.live_ns)
            self._boxes[subscription_id] = box
            self._saved[subscription_id] = entry.progress
        return box

    def _refresh(self, entry: Entry) -> None:
        """See to it that a task tells a subscriber, if there is something to tell."""
        subscription_id, interval = entry.subscription.id, entry.subscription.interval_s
        box = self._boxes[subscription_id]
        if entry.subscription.status(self._clock.now_ns()) is not Status.ACTIVE:
            box.skip(max(self.passed, box.passed))
            return
        if subscription_id in self._tasks or not (box.has_work or interval is not None):
            return
        work = self._tell(entry, box) if interval is None else self._tell_by_clock(entry, box)
        self._tasks[subscription_id] = self._group.create_task(work, name=subscription_id)

    async def _match(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wakened.clear()
            found = await loop.run_in_executor(self._matching, self._match_next)
            if found is None:
                await self._wakened.wait()
                continue
            hits, passed = found
            for subscription_id, item in hits:
                self._put(subscription_id, item)
            self.passed = passed

    def _match_next(self) -> tuple[list[tuple[str, Item]], int] | None:
        """Match what was written next; on the thread for that."""
        gap, after = self._backlog.gap, self.passed
        if gap is None:
            written = self._backlog.take()
            if written is None:
                return None
            changes, number, at_ns = written.changes, written.number, written.now_ns
        else:
            changes, number = self._subscribers.replay.after(after)
            at_ns = self._clock.now_ns()
            if number == after:
                self._backlog.close_gap(gap, number)
        hits = self._subscribers.match(self._with_points(changes))
        return [(one, Item(number, after, change, at_ns)) for one, change in hits], number

    def _with_points(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Return changes with what points gave beside it; on the thread for matching."""
        return changes if self._live is None else self._live.overlaid(changes)

    async def _follow(self, live: LiveChanges) -> None:
        """Look now and then at what points gave."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            hits, received_ns = await loop.run_in_executor(self._matching, self._look, live)
            before_ns, now_ns = self._live_passed_ns or 0, self._clock.now_ns()
            for subscription_id, change in hits:
                entry = self._subscribers.look(subscription_id)
                if entry is not None:
                    self._box(entry).put_live(change, before_ns, now_ns)
                    self._refresh(entry)
            self._live_passed_ns = received_ns

    def _look(self, live: LiveChanges) -> tuple[list[tuple[str, Change]], int]:
        changes = live.next(self._subscribers.wants)
        return self._subscribers.match(changes), live.received_ns

    def _put(self, subscription_id: str, item: Item) -> None:
        entry = self._subscribers.look(subscription_id)
        if entry is None:
            return  # it was deleted while this was matched
        box = self._box(entry)
        box.put(item, merge=entry.subscription.throttling_s is not None)
        self._refresh(entry)

    async def _tell(self, entry: Entry, box: Mailbox) -> None:
        """Tell one subscriber what waits for him."""
        while box.has_work:
            if entry.subscription.status(self._clock.now_ns()) is not Status.ACTIVE:
                box.skip(max(self.passed, box.passed))
                break
            wait_ns = box.ready_ns - self._clock.monotonic_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / SECOND_NS)
            elif box.behind is not None:
                await self._catch_up(entry, box, box.behind)
            elif box.live_behind is not None and self._live is not None:
                await self._catch_up_live(entry, box, self._live)
            else:
                told = box.next()
                changes = tuple(item.change for item in told.values())
                if await self._send(entry, box, changes):
                    now_ns = self._clock.now_ns()
                    self.delays_ns.extend(now_ns - item.at_ns for item in told.values())
                    box.done(told)
        if self._tasks.get(entry.subscription.id) is asyncio.current_task():
            del self._tasks[entry.subscription.id]

    async def _catch_up(self, entry: Entry, box: Mailbox, after: int) -> None:
        """Tell one subscriber the next part of what he missed."""
        loop = asyncio.get_running_loop()
        missed = await loop.run_in_executor(None, self._subscribers.replay.after, after)
        now_ns, watch = self._clock.now_ns(), entry.watch
        changes = await loop.run_in_executor(self._matching, self._with_points, missed.changes)
        hits = await loop.run_in_executor(None, watch.among, changes, now_ns)
        if not hits or await self._send(entry, box, hits):
            # Read to the end at a moment when that was as far as others were matched: what comes
            # later comes into the mailbox.
            in_step = missed.number >= self.passed
            box.caught_up(missed.number, in_step=in_step)

    async def _catch_up_live(self, entry: Entry, box: Mailbox, live: LiveChanges) -> None:
        """Tell one subscriber what points gave that he was not told of."""
        loop, told = asyncio.get_running_loop(), False
        since_ns = box.take_live_behind() or 0
        try:
            changes = await loop.run_in_executor(self._matching, live.since, since_ns)
            now_ns, watch = self._clock.now_ns(), entry.watch
            hits = await loop.run_in_executor(None, watch.among, changes, now_ns)
            parts = [hits[at : at + ENTITIES_MAX] for at in range(0, len(hits), ENTITIES_MAX)]
            told = all([await self._send(entry, box, part) for part in parts])
        finally:
            if not told:  # also when this is cancelled: it is told later
                box.fall_live_behind(since_ns)

    async def _tell_by_clock(self, entry: Entry, box: Mailbox) -> None:
        """Tell one subscriber periodically what there is, whatever changes."""
        loop, interval_s = asyncio.get_running_loop(), entry.subscription.interval_s or 0.0
        while True:
            await asyncio.sleep(interval_s)
            box.skip(self.passed)
            if entry.subscription.status(self._clock.now_ns()) is not Status.ACTIVE:
                continue
            found = await loop.run_in_executor(None, self._present, entry.watch)
            for start in range(0, len(found), ENTITIES_MAX):
                part = found[start : start + ENTITIES_MAX]
                await self._send(entry, box, tuple(Change(one, one) for one in part))

    def _present(self, watch: Watch) -> list[Entity]:
        selection, find = watch.selection, watch.find or self._entities.find
        box = selection.box()
        hints = Hints(
            ids=selection.ids,
            types=selection.types_any(),
            attributes=selection.attributes_any(),
            box=None if box is None else Box(*box),
        )
        shown = (watch.shown(Change(one, one)) for one in self._entities.select(hints))
        every = (one.after for one in shown if one is not None)
        return [one for one in every if one is not None and selection.matches(one, find)]

    async def _send(self, entry: Entry, box: Mailbox, changes: tuple[Change, ...]) -> bool:
        """Send one notification; return whether it was taken, and note that."""
        subscription, failure = entry.subscription, ""
        async with self._slots:
            now_ns = self._clock.now_ns()
            try:
                await self._deliver(subscription, Notice(changes, now_ns))
            except CityTwinError as error:
                failure = str(error)[:FAILURE_CHARS_MAX]
        progress, notify = entry.progress, subscription.notify
        if failure:
            box.failed(self._clock.monotonic_ns(), (notify.cooldown_ms or 0) / 1000)
            if box.failures == 1:
                _log.warning("notification.failed", subscription=subscription.id, reason=failure)
            entry.progress = replace(
                progress,
                times_sent=progress.times_sent + 1,
                times_failed=progress.times_failed + 1,
                last_sent_ns=now_ns,
                last_failure_ns=now_ns,
                failure=failure,
            )
            return False
        box.succeeded(self._clock.monotonic_ns(), subscription.throttling_s or 0.0)
        entry.progress = replace(
            progress,
            times_sent=progress.times_sent + 1,
            last_sent_ns=now_ns,
            last_success_ns=now_ns,
            failure="",
        )
        return True

    async def _saving(self) -> None:
        loop, save = asyncio.get_running_loop(), self._subscribers.store.save
        while True:
            await asyncio.sleep(SAVE_S)
            changed, passed = self._unsaved()
            if not changed and passed == self._saved_passed:
                continue
            try:
                self._saved_passed = await loop.run_in_executor(None, save, changed, passed)
            except StoreError as error:
                _log.error("notification.cursors_not_saved", reason=str(error))
            else:
                self._saved.update(changed)

    def _unsaved(self) -> tuple[dict[str, Progress], Passed]:
        """Return how far everybody was told, where that is not written down yet."""
        changed, passed = {}, self.passed
        for subscription_id, box in self._boxes.items():
            entry = self._subscribers.look(subscription_id)
            if entry is None:
                continue
            cursor = box.cursor
            if cursor is None and box.passed > passed:
                cursor = box.passed
            live_ns = box.live_cursor
            if (entry.progress.cursor, entry.progress.live_ns) != (cursor, live_ns):
                entry.progress = replace(entry.progress, cursor=cursor, live_ns=live_ns)
            if self._saved.get(subscription_id) is not entry.progress:
                changed[subscription_id] = entry.progress
        return changed, Passed(passed, self._live_passed_ns)
