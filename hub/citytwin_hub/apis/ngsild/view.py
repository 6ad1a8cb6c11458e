"""View: how entities are to be represented, as one request wants it.

ETSI GS CIM 009, clauses 4.5.1 to 4.5.5, 4.5.16, 4.5.23, 4.15 and 4.21.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from citytwin_hub.apis.ngsild.languages import Languages
from citytwin_hub.apis.ngsild.projections import Projection

NONE: Final = "@none"
"""How the default instance of an attribute, which has no ``datasetId``, is called."""


class Form(Enum):
    """The representations of attributes."""

    NORMALIZED = auto()
    CONCISE = auto()
    SIMPLIFIED = auto()


class Join(Enum):
    """Where linked entities go: into the relationship, or beside the entity."""

    INLINE = auto()
    FLAT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How entities are to be represented (immutable).

    Attributes:
        form: normalized, concise or simplified.
        sys_attrs: with createdAt, modifiedAt and expiresAt.
        languages: LanguageProperties become Properties in one of these; None: they stay.
        attrs: only these attributes, IRIs; None: all.
        pick: only these members; None: all.
        omit: all but these members; None: none is left out.
        datasets: only instances with these ``datasetId``, empty for the default one; None: all.
        geometry: the IRI of the attribute that is a GeoJSON Feature's geometry; None: no GeoJSON.
        join: where linked entities go; None: they are not retrieved.
        join_level: how many links are followed.
        contained_by: entities that are not to come as linked ones, for they were met already.
    """

    form: Form = Form.NORMALIZED
    sys_attrs: bool = False
    languages: Languages | None = None
    attrs: frozenset[str] | None = None
    pick: Projection | None = None
    omit: Projection | None = None
    datasets: frozenset[str] | None = None
    geometry: str | None = None
    join: Join | None = None
    join_level: int = 1
    contained_by: frozenset[str] = frozenset()


PLAIN: Final = View()
"""The normalized representation of everything."""
