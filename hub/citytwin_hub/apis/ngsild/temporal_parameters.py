"""Temporal parameters: what a request asks of the evolution of entities.

ETSI GS CIM 009, clauses 4.11 (temporal queries), 4.5.19 (aggregation), 5.2.21 (TemporalQuery),
5.2.44 (AggregationParams), 5.7.3 and 5.7.4. All else means what it means for entities as they are
(``parameters.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

from citytwin_hub.apis.ngsild import parameters, viewing
from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.members import read_moment
from citytwin_hub.apis.ngsild.parameters import Page
from citytwin_hub.apis.ngsild.projections import CORE
from citytwin_hub.apis.ngsild.query_document import MEMBERS, checked, selectors, values_of
from citytwin_hub.apis.ngsild.view import Form, View
from citytwin_hub.entities import aggregates, durations, q_parser
from citytwin_hub.entities.aggregates import Method
from citytwin_hub.entities.durations import WHOLE, Duration
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from citytwin_hub.entities.evolution_store import Moment
from citytwin_hub.entities.selection import Selection
from citytwin_hub.entities.windows import Relation, Wanted, Window
from citytwin_hub.jsonld.names import Names

LAST_MAX: Final = 1_000_000
_TEMPORAL: Final = (
    "timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "aggrMethods", "aggrPeriodDuration",
)  # fmt: skip
_VIEW: Final = ("attrs", "pick", "omit", "options", "format", "lang", "datasetId", "local")

_MAP: Final = ("entityMap", "entityMapLifetime")
RETRIEVE: Final = frozenset({*_TEMPORAL, *_VIEW, *_MAP, "type"})
"""Parameters of retrieving an evolution (table 6.19.3.1-1)."""

QUERY: Final = frozenset(
    {
        *_TEMPORAL, *_VIEW, *_MAP, "limit", "offset", "count", "id", "type", "idPattern", "q",
        "csf", "georel", "geometry", "coordinates", "geoproperty", "scopeQ", "orderBy",
        "expandValues", "jsonKeys",
    }
)  # fmt: skip
"""Parameters of querying evolutions (table 6.18.3.2-1)."""

QUERY_BY_POST: Final = frozenset({"limit", "offset", "count", "options", "format", "lang", "local"})
"""Parameters beside the body of a query (table 6.24.3.1-1)."""


class Shape(Enum):
    """How an evolution is represented."""

    INSTANCES = auto()
    """Each instance as an attribute (clause 4.5.7)."""
    VALUES = auto()
    """Values with their moments (clause 4.5.9)."""
    AGGREGATED = auto()
    """What values come to (clause 4.5.19)."""


_SHAPES: Final[Mapping[str, Shape]] = {
    "temporalValues": Shape.VALUES,
    "aggregatedValues": Shape.AGGREGATED,
}
_MOMENTS: Final[Mapping[str, Moment]] = {
    each.value: each for each in Moment if each is not Moment.ANY
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalView:
    """How evolutions are wanted (immutable).

    Attributes:
        shape: instances, values or aggregated values.
        view: all else that the representation of an entity has.
        window: which instances.
        methods: of aggregation; only with that shape.
        duration: of its periods.
    """

    shape: Shape
    view: View
    window: Window
    methods: tuple[Method, ...] = ()
    duration: Duration = WHOLE

    @property
    def wanted(self) -> Wanted:
        """What is read of each entity."""
        return Wanted(window=self.window, attributes=self._shown(), datasets=self.view.datasets)

    def _shown(self) -> frozenset[str] | None:
        pick = self.view.pick
        if pick is not None:
            return frozenset(pick.members.keys() - CORE)
        return self.view.attrs


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalQuery:
    """What is asked of the evolution of entities (immutable).

    Attributes:
        selection: which entities.
        seen: how their evolution is wanted.
        page: which part of them.
        descending: whether they are ordered by identifier, and how; None: as they were created.
    """

    selection: Selection
    seen: TemporalView
    page: Page
    descending: bool | None = None

    @property
    def wanted(self) -> Wanted:
        """What an entity must have for it to be selected."""
        scope = self.selection.scope
        return replace(
            self.seen.wanted,
            attributes=self.selection.attrs,
            scope=None if scope is None else scope.matches,
        )


def retrieval(given: Mapping[str, str], names: Names, media: str) -> TemporalView:
    """Return what a request for the evolution of one entity asks for.

    Raises:
        BadRequestData: a parameter is wrong.
        InvalidRequest: ``options`` or ``format`` is not known.
    """
    return _view(parameters.read(given, names, media))


def query(given: Mapping[str, str], names: Names, media: str) -> TemporalQuery:
    """Return what a query by GET asks for; errors as ``retrieval``, and:

    Raises:
        TooComplexQuery: an expression is over a limit.
        TooManyResults: a page is larger than it may be.
    """
    asked = parameters.read(given, names, media)
    return _query(asked, parameters.selectors(asked))


def query_document(
    document: Any, given: Mapping[str, str], names: Names, media: str
) -> TemporalQuery:
    """Return what a query by POST asks for; errors as ``query``."""
    members = checked(document, "the body", MEMBERS | {"aggrParams"}, kind="Query")
    values = values_of(members, given)
    for member, known in (
        ("temporalQ", frozenset(_TEMPORAL)),
        ("aggrParams", frozenset({"aggrMethods", "aggrPeriodDuration"})),
    ):
        if member in members:
            values |= checked(members[member], member, known)
    if "aggrMethods" in values:
        values.setdefault("format", "aggregatedValues")
    asked = Asked(values=values, names=names, media=media, is_document=True)
    return _query(asked, selectors(members.get("entities"), names))


def _query(asked: Asked, selected: Any) -> TemporalQuery:
    seen = _view(asked)
    if seen.window.relation is None:
        raise BadRequestData(
            "a query of the evolution of entities needs timerel and timeAt (clause 5.7.4)"
        )
    local = asked.flag("local")
    selection = parameters.select(asked, selected, seen.view)
    parameters.refuse_too_wide(selection, seen.view, local=local)
    if selection.q is not None and selection.q.depth:
        raise BadRequestData("q cannot ask about linked entities here (clause 5.7.4)")
    sources = asked.text("csf")
    if sources is not None:
        q_parser.parse(sources, asked.names, what="csf")
    return TemporalQuery(
        selection=selection,
        seen=seen,
        page=parameters.page(asked),
        descending=_descending(asked),
    )


def _descending(asked: Asked) -> bool | None:
    order = asked.listed("orderBy")
    if order is None:
        return None
    if order not in (["id"], ["id;asc"], ["id;desc"]):
        raise BadRequestData("orderBy can only be id, id;asc or id;desc here (clause 5.7.4)")
    return order == ["id;desc"]


def _view(asked: Asked) -> TemporalView:
    shape, values = _shape(asked)
    view = viewing.view(replace(asked, values=values))
    if view.form is Form.SIMPLIFIED:
        raise InvalidRequest("the simplified representation of an evolution is temporalValues")
    methods: tuple[Method, ...] = ()
    duration = WHOLE
    given = asked.values.get("aggrMethods")
    if given is not None or shape is Shape.AGGREGATED:
        methods = tuple(aggregates.methods(_methods(given)))
    if "aggrPeriodDuration" in asked:
        duration = durations.parse(asked.text("aggrPeriodDuration") or "")
    return TemporalView(
        shape=shape, view=view, window=window(asked), methods=methods, duration=duration
    )


def _methods(given: Any) -> list[str]:
    if isinstance(given, str):
        given = given.split(",")
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise BadRequestData("aggrMethods is not a list of texts")
    return given


def _shape(asked: Asked) -> tuple[Shape, dict[str, Any]]:
    """Return the shape, and the values without what says so; ``format`` has the last word."""
    values = dict(asked.values)
    shape = Shape.INSTANCES
    options = list(values.pop("options", ()))
    for option in options:
        shape = _SHAPES.get(option, shape)
    rest = [option for option in options if option not in _SHAPES]
    if rest:
        values["options"] = rest
    wanted = values.get("format")
    if wanted is not None:
        shape = _SHAPES.get(wanted, Shape.INSTANCES) if isinstance(wanted, str) else shape
        if shape is not Shape.INSTANCES:
            del values["format"]
    return shape, values


def window(asked: Asked) -> Window:
    """Return which instances are asked for (clause 4.11)."""
    text, moment = asked.text("timerel"), Moment.ANY
    if text is not None and text not in tuple(Relation):
        raise BadRequestData(f"timerel is {text[:80]!r}; it is one of {', '.join(Relation)}")
    relation = None if text is None else Relation(text)
    wanted = asked.text("timeproperty")
    if wanted is not None:
        if wanted not in _MOMENTS:
            raise BadRequestData(
                f"timeproperty is {wanted[:80]!r}; it is one of {', '.join(_MOMENTS)}"
            )
        moment = _MOMENTS[wanted]
    elif relation is not None:
        moment = Moment.OBSERVED
    for name, needed in (
        ("timeAt", relation is not None),
        ("endTimeAt", relation is Relation.BETWEEN),
    ):
        if needed and name not in asked:
            raise BadRequestData(f"timerel={text} needs {name}")
    if relation is None and ("timeAt" in asked or "endTimeAt" in asked):
        raise BadRequestData("timeAt and endTimeAt need timerel beside them")
    return Window(
        relation=relation,
        at_ns=0
        if relation is None
        else read_moment(asked.values["timeAt"], "timeAt", bounded=True),
        end_ns=read_moment(asked.values["endTimeAt"], "endTimeAt", bounded=True)
        if relation is Relation.BETWEEN
        else 0,
        moment=moment,
        last=_last(asked),
    )


def _last(asked: Asked) -> int | None:
    if "lastN" not in asked:
        return None
    last = asked.number("lastN", 0)
    if not 0 < last <= LAST_MAX:
        raise BadRequestData(f"lastN is {last}; it can be 1 to {LAST_MAX}")
    return last
