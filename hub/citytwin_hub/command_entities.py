"""Command entities: every command as an entity that is read and subscribed to, never written.

An application that watches the city sees commands beside what they are about: who wanted what of
which object, and what has become of it, each step in the entity's evolution. The newest are kept;
the journal of commands has the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

from citytwin.errors import CityTwinError
from citytwin.units import unit
from citytwin_hub.command_states import code_of
from citytwin_hub.commands import Commands
from citytwin_hub.entities.entities import COMMANDS, Entities
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.store import Hints
from citytwin_hub.registry import Registry

KEPT_MAX: Final = 10_000
SLACK: Final = 1_000
"""So many more are deleted together."""
TYPE: Final = "Command"
PENDING_MAX: Final = 20_000
"""Commands whose newest state waits to be written; of more the oldest are left out."""
TOGETHER_MAX: Final = 1000
_MS: Final = 1_000_000

_log = structlog.get_logger(__name__)


class CommandEntities:
    """Writes commands as entities; belongs to one event loop."""

    def __init__(
        self,
        commands: Commands,
        registry: Registry,
        entities: Entities,
        expand: Callable[[str], str],
    ) -> None:
        """Follow commands.

        Args:
            commands: what is followed.
            registry: what points there are.
            entities: where they are written.
            expand: turns a name into its IRI.
        """
        self._commands, self._registry, self._entities = commands, registry, entities
        self._expand = expand
        self._pending: dict[str, dict[str, Any]] = {}
        self._wakened = asyncio.Event()
        commands.watch(self._take)

    def _take(self, described: dict[str, Any]) -> None:
        self._pending.pop(described["id"], None)
        self._pending[described["id"]] = described
        if len(self._pending) > PENDING_MAX:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            _log.warning("command.entity_left_out", command=oldest)
        self._wakened.set()

    async def run(self) -> None:
        """Write what changes, until cancelled; first what changed while the hub was down."""
        for tracked in reversed(self._commands.listed()):
            self._take(self._commands.described(tracked))
        while True:
            await self._wakened.wait()
            self._wakened.clear()
            while self._pending:
                first = list(self._pending)[:TOGETHER_MAX]
                part = [self._pending.pop(one) for one in first]
                try:
                    await asyncio.to_thread(self._write, part)
                except CityTwinError as error:
                    _log.error("command.entities_unwritten", count=len(part), reason=str(error))

    def _write(self, part: list[dict[str, Any]]) -> None:
        with self._entities.batch(own=True) as batch:
            batch.look([COMMANDS + one["id"] for one in part])
            for one in part:
                made = self.entity(one)
                known = batch.get(made.id)
                if known is None or not self._same(known, made):
                    batch.upsert(made, update=False)
        of_commands = Hints(types=[self._expand(TYPE)])
        if self._entities.store.count(of_commands) > KEPT_MAX + SLACK:
            ids = [one.id for one in self._entities.store.candidates(of_commands)]
            with self._entities.batch(own=True) as batch:
                for entity_id in ids[:-KEPT_MAX]:
                    batch.delete(entity_id)

    def _same(self, known: Entity, made: Entity) -> bool:
        state = self._expand("state")
        return [one.value for one in known.attributes.get(state, ())] == [
            one.value for one in made.attributes[state]
        ]

    def entity(self, described: dict[str, Any]) -> Entity:
        """Return a command, as the APIs show it, as an entity."""
        point = self._registry.points.get(described["row"])
        newest_ns = described["history"][-1]["at_ms"] * _MS
        issued_ns = described["issued_ms"] * _MS
        said = {
            "status": code_of(described["state"]),
            "state": described["state"],
            "point": described["point"],
            "issuedBy": described["issued_by"],
            "issuedAt": {"@type": "DateTime", "@value": format_ns(issued_ns)},
        }
        attributes = {
            name: Attribute(kind=AttributeKind.PROPERTY, value=value, observed_ns=newest_ns)
            for name, value in said.items()
        }
        attributes["value"] = Attribute(
            kind=AttributeKind.PROPERTY,
            value=described["value"],
            unit_code=unit(point.unit).cefact if point else "",
        )
        words = {language: text for language, text in described["reason"].items() if text}
        if words:
            attributes["message"] = Attribute(kind=AttributeKind.LANGUAGE, value=words)
        if point is not None and point.feeds:
            attributes["controls"] = Attribute(kind=AttributeKind.RELATIONSHIP, value=point.feeds)
        if point is not None and point.attribute:
            attributes["controlledAttribute"] = Attribute(
                kind=AttributeKind.PROPERTY, value=point.attribute
            )
        return Entity(
            id=COMMANDS + described["id"],
            types=(self._expand(TYPE),),
            attributes={self._expand(name): (one,) for name, one in attributes.items()},
        )
