"""Snapshots: branches of a tenant's entities: made, read, changed, cloned, compared, kept.

The data type is NGSI-LD's Snapshot (ETSI GS CIM 009 V1.9.1, clauses 5.2.41 and 5.16). A snapshot of
everything is a scenario: what-ifs are written into it, compared with the present, and kept or
discarded. What points measured is frozen with it. Each lies in a folder of its own, whose
``snapshot.json`` is written last: a folder without it was never finished.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import structlog
from msgspec.structs import replace

from citytwin.clock import Clock
from citytwin.errors import StoreError, StoreLimit
from citytwin.files import replace as replace_file
from citytwin_hub.entities.bindings import Bindings
from citytwin_hub.entities.branch import Branch
from citytwin_hub.entities.changes import living
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import (
    AlreadyExists,
    Conflict,
    ResourceNotFound,
    TooManyResults,
)
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change
from citytwin_hub.twin import Latest

SNAPSHOTS_MAX: Final = 20
"""Of a tenant: each looks at every change of the entities."""
ID_PREFIX: Final = "urn:ngsi-ld:Snapshot:"
PRIORITY: Final = 5
"""Where none is given."""
_HEAD, _MEMBERS, _VALUES, _ENTITIES = "snapshot.json", "members.json", "values.npz", "entities.db"
_COLUMNS: Final = ("row", "time_ns", "value", "quality", "received_ns")
_log: Final = structlog.get_logger()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a snapshot says of itself (immutable).

    Attributes:
        id: a URI.
        queries: what it has, as it was given (``snapshotQueries``).
        priority: which are to be dropped first, the lower (``snapshotPriority``).
        name: for people.
        created_ns, modified_ns: when it was made, and changed last.
        used_ns: when its entities were last asked for.
        expires_ns: after it, it is dropped; None: never.
        failure: why it is no longer whole; empty: it is.
    """

    id: str
    queries: list[dict[str, Any]] = msgspec.field(default_factory=list)
    priority: int = PRIORITY
    name: str = ""
    created_ns: int = 0
    modified_ns: int = 0
    used_ns: int = 0
    expires_ns: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """An entity that is not the same in a snapshot and now.

    Attributes:
        id: the entity's.
        here: whether it was changed in the snapshot; else it was changed since.
        before, after: now, and in the snapshot; None where it is not there.
    """

    id: str
    here: bool
    before: Entity | None
    after: Entity | None

    @property
    def attributes(self) -> list[str]:
        """IRIs of the attributes that differ."""
        before = self.before.attributes if self.before else {}
        after = self.after.attributes if self.after else {}
        names = before.keys() | after.keys()
        return sorted(one for one in names if before.get(one) != after.get(one))


class Frozen:
    """What every point gave last, at one moment."""

    def __init__(self, latest: Latest) -> None:
        """Take columns."""
        self.latest = latest
        self._index = {int(row): index for index, row in enumerate(latest.row)}

    def read(self, rows: Sequence[int] | None = None) -> Latest:
        """Return the samples of some rows; time 0 where there is none."""
        if rows is None:
            return self.latest
        at = np.array([self._index.get(int(row), -1) for row in rows], np.int64)
        there = at >= 0
        columns: list[Any] = [np.asarray(rows, np.int32)]
        for name in _COLUMNS[1:]:
            column = getattr(self.latest, name)
            found = np.zeros(len(at), column.dtype)
            found[there] = column[at[there]]
            columns.append(found)
        return Latest(*columns)


@dataclass(slots=True)
class Held:
    """A snapshot that is open."""

    snapshot: Snapshot
    folder: Path
    branch: Branch
    entities: Entities


class Snapshots:
    """The snapshots of one tenant; every method may be called on any thread."""

    def __init__(
        self, folder: Path, entities: Entities, clock: Clock, bindings: Bindings | None
    ) -> None:
        """Open those that there are.

        Args:
            folder: where they lie.
            entities: what they are snapshots of.
            clock: when they were made.
            bindings: attributes that points give, where there are any.

        Raises:
            StoreError: a file cannot be used.
        """
        self._folder, self._entities, self._clock, self._bindings = (
            folder, entities, clock, bindings,
        )  # fmt: skip
        self._lock = threading.RLock()
        self._held: dict[str, Held] = {}
        for one in sorted(folder.glob("*/")):
            if (one / _HEAD).exists():
                held = self._open(one)
                self._held[held.snapshot.id] = held
            else:
                shutil.rmtree(one, ignore_errors=True)
        entities.guards.append(self._preserve)

    def close(self) -> None:
        """Release every file; when they were used is noted."""
        with self._lock:
            for held in self._held.values():
                self._save(held)
                held.branch.close()
            self._held.clear()

    def get(self, snapshot_id: str) -> Held:
        """Return a snapshot (5.16.3).

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        with self._lock:
            self._drop_ended()
            held = self._held.get(snapshot_id)
        if held is None:
            raise ResourceNotFound(f"there is no snapshot {snapshot_id}")
        return held

    def use(self, snapshot_id: str) -> Entities:
        """Return the entities of a snapshot (6.3.22).

        Raises:
            ResourceNotFound: there is none with this identifier.
            StoreError: it is no longer whole.
        """
        held = self.get(snapshot_id)
        if held.snapshot.failure:
            raise StoreError(f"the snapshot {snapshot_id} is not whole: {held.snapshot.failure}")
        held.snapshot = replace(held.snapshot, used_ns=self._clock.now_ns())
        return held.entities

    def all(self) -> list[Snapshot]:
        """Return every snapshot, the oldest first."""
        with self._lock:
            self._drop_ended()
            return sorted((one.snapshot for one in self._held.values()), key=lambda s: s.created_ns)

    def create(
        self, snapshot: Snapshot, choose: Callable[[Entities], Collection[str] | None]
    ) -> Snapshot:
        """Make a snapshot (5.16.1); nobody writes meanwhile.

        Args:
            snapshot: what it says of itself; without an identifier it is given one.
            choose: identifiers of the entities that it has; None: all.

        Raises:
            AlreadyExists: there is one with this identifier.
            TooManyResults: there are as many as there may be.
            StoreError: a file cannot be written.
        """
        with self._entities.still(), self._lock:
            made, folder = self._new(snapshot)
            members = choose(self._entities)
            if members is not None:
                _save(folder / _MEMBERS, sorted(members))
            if self._bindings is not None:
                _save_values(folder / _VALUES, self._bindings.newest())
            SqliteEntities(folder / _ENTITIES).close()
            return self._finish(made, folder)

    def clone(self, snapshot_id: str, snapshot: Snapshot) -> Snapshot:
        """Make a snapshot that is as another one is now (5.16.2); raises as ``create``."""
        with self._entities.still(), self._lock:
            held = self.get(snapshot_id)
            made, folder = self._new(replace(snapshot, queries=held.snapshot.queries))
            for name in (_MEMBERS, _VALUES):
                if (held.folder / name).exists():
                    shutil.copyfile(held.folder / name, folder / name)
            held.branch.own.database.copy_to(folder / _ENTITIES)
            return self._finish(made, folder)

    def update(self, snapshot_id: str, make: Callable[[Snapshot], Snapshot]) -> Snapshot:
        """Make a snapshot say what ``make`` returns (5.16.4)."""
        with self._lock:
            held = self.get(snapshot_id)
            held.snapshot = replace(make(held.snapshot), modified_ns=self._clock.now_ns())
            self._save(held)
            return held.snapshot

    def delete(self, snapshot_id: str) -> None:
        """Drop a snapshot (5.16.5): what was done in it is gone."""
        with self._lock:
            held = self.get(snapshot_id)
            del self._held[snapshot_id]
            self._remove(held)

    def differences(self, snapshot_id: str) -> list[Difference]:
        """Return what is not the same in a snapshot and now, by identifier."""
        held = self.get(snapshot_id)
        branch, now_ns = held.branch, self._clock.now_ns()
        touched = sorted(branch.touched)
        changed = branch.changed_here
        now, then = self._entities.store.find(touched), branch.find(touched)
        found = []
        for one in touched:
            before, after = _living(now.get(one), now_ns), _living(then.get(one), now_ns)
            if before != after:
                found.append(Difference(one, one in changed, before, after))
        return found

    def keep(self, snapshot_id: str, *, force: bool = False) -> int:
        """Do to the entities what was done in a snapshot; return to how many.

        Raises:
            Conflict: one of them was changed since the snapshot was made, and not ``force``.
        """
        held = self.get(snapshot_id)
        with self._entities.batch() as batch:
            ids = sorted(held.branch.changed_here)
            batch.look(ids)
            wanted = held.branch.find(ids)
            for one in ids:
                now, after = batch.get(one), wanted.get(one)
                if now is not None and now.modified_ns > held.snapshot.created_ns and not force:
                    raise Conflict(
                        f"{one} was changed since the snapshot was made; look at the differences, "
                        "then force it or change the snapshot"
                    )
                batch.put(one, after)
        return len(ids)

    def _preserve(self, changes: Sequence[Change]) -> None:
        with self._lock:
            for held in self._held.values():
                if held.snapshot.failure:
                    continue
                try:
                    held.branch.preserve(changes)
                except (StoreError, StoreLimit) as error:
                    # The city goes on; the branch says that it cannot.
                    held.snapshot = replace(held.snapshot, failure=str(error))
                    _log.error("snapshot.failed", snapshot=held.snapshot.id, reason=str(error))

    def _new(self, snapshot: Snapshot) -> tuple[Snapshot, Path]:
        self._drop_ended()
        identifier = snapshot.id or f"{ID_PREFIX}{uuid.uuid4()}"
        if identifier in self._held:
            raise AlreadyExists(f"there is a snapshot {identifier} already")
        if len(self._held) >= SNAPSHOTS_MAX:
            raise TooManyResults(f"there are {SNAPSHOTS_MAX} snapshots already: delete one")
        now_ns = self._clock.now_ns()
        made = replace(
            snapshot, id=identifier, created_ns=now_ns, modified_ns=now_ns, used_ns=now_ns
        )
        folder = self._folder / uuid.uuid4().hex
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be made: {error}") from error
        return made, folder

    def _finish(self, snapshot: Snapshot, folder: Path) -> Snapshot:
        _save(folder / _HEAD, snapshot)
        self._held[snapshot.id] = self._open(folder)
        return snapshot

    def _open(self, folder: Path) -> Held:
        try:
            snapshot = msgspec.json.decode((folder / _HEAD).read_bytes(), type=Snapshot)
            members: list[str] | None = None
            if (folder / _MEMBERS).exists():
                members = msgspec.json.decode((folder / _MEMBERS).read_bytes(), type=list[str])
            bindings = None
            if self._bindings is not None and (folder / _VALUES).exists():
                bindings = self._bindings.at(Frozen(_values(folder / _VALUES)))
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise StoreError(f"{folder} cannot be used: {error}") from error
        branch = Branch(self._entities.store, SqliteEntities(folder / _ENTITIES), members)
        return Held(snapshot, folder, branch, Entities(branch, self._clock, bindings))

    def _save(self, held: Held) -> None:
        _save(held.folder / _HEAD, held.snapshot)

    def _drop_ended(self) -> None:
        now_ns = self._clock.now_ns()
        for held in list(self._held.values()):
            if held.snapshot.expires_ns is not None and held.snapshot.expires_ns <= now_ns:
                del self._held[held.snapshot.id]
                self._remove(held)

    def _remove(self, held: Held) -> None:
        held.branch.close()
        # Without its head it is nothing, whatever is left of it.
        (held.folder / _HEAD).unlink(missing_ok=True)
        shutil.rmtree(held.folder, ignore_errors=True)


def _living(entity: Entity | None, now_ns: int) -> Entity | None:
    return entity and living(entity, now_ns)


def _save(path: Path, content: Any) -> None:
    try:
        replace_file(path, lambda file: file.write(msgspec.json.encode(content)))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def _save_values(path: Path, latest: Latest) -> None:
    columns: Mapping[str, Any] = {name: getattr(latest, name) for name in _COLUMNS}
    try:
        replace_file(path, lambda file: np.savez(file, **columns))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def _values(path: Path) -> Latest:
    with np.load(path, allow_pickle=False) as columns:
        return Latest(*(columns[name] for name in _COLUMNS))
