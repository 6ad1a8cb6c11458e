"""Policy: reads policy.toml, the roles of an installation and what these may do."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import shapely
import shapely.errors
import shapely.geometry

from citytwin.config import At, Document
from citytwin.errors import ConfigError
from citytwin_hub.policy.grants import NONE, Act, Area, Grant, Names, Rights, pattern

DEFAULT: Final = Path(__file__).parent / "default.toml"
ADMIN: Final = "admin"
ROLES_MAX: Final = 200
GRANTS_MAX: Final = 100
"""Of one role."""
LISTED_MAX: Final = 1_000
AREA_BYTES_MAX: Final = 8 * 1024 * 1024
DELAY_S_MAX: Final = 366 * 86_400
MEAN_S_MAX: Final = 31 * 86_400
RIGHTS_MAX: Final = 10_000
"""Sets of roles of which is remembered what they may."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")

Listed = Annotated[list[str], msgspec.Meta(max_length=LISTED_MAX)]


class GrantTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[[role.NAME.may]]``: acts, and what limits them."""

    acts: list[str]
    types: Listed | None = None
    without_types: list[str] = msgspec.field(default_factory=list)
    attributes: Listed | None = None
    without_attributes: list[str] = msgspec.field(default_factory=list)
    area: str = ""
    points: Listed | None = None


class RoleTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[role.NAME]``: what a role is for, what it may, and how coarse what it sees is."""

    words: str = ""
    delay_s: float = 0
    mean_s: float = 0
    round: dict[str, float] = msgspec.field(default_factory=dict)
    may: list[GrantTable] = msgspec.field(default_factory=list)


class AreaTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[area.NAME]``: a GeoJSON file beside the policy, or west, south, east, north."""

    file: str = ""
    box: tuple[float, float, float, float] | None = None


class PersonalTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[personal]``: attributes that say something of a person."""

    attributes: list[str] = msgspec.field(default_factory=list)


class PublicTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[public]``: whether one needs no token, and which role one then has."""

    enabled: bool = False
    role: str = "public"


class PolicyTable(msgspec.Struct, forbid_unknown_fields=True):
    """A whole policy.toml; its roles and areas are read one by one."""

    role: dict[str, Any] = msgspec.field(default_factory=dict)
    area: dict[str, Any] = msgspec.field(default_factory=dict)
    personal: PersonalTable | None = None
    public: PublicTable = msgspec.field(default_factory=PublicTable)


class Policy:
    """What each role may. Immutable, for any thread.

    Attributes:
        path: the file; None where only the shipped one holds.
        roles: every role by name, with what it is for.
        personal: attributes that say something of a person.
        public: the role of who has no token; None: a token is needed.
    """

    def __init__(
        self,
        path: Path | None,
        roles: Mapping[str, RoleTable],
        grants: Mapping[str, tuple[Grant, ...]],
        personal: Names,
        public: str | None,
    ) -> None:
        """Take what was read; see ``load``."""
        self.path, self.roles, self.personal, self.public = path, dict(roles), personal, public
        self._grants, self._lock = dict(grants), threading.Lock()
        self._rights: dict[tuple[str, ...], Rights] = {}

    def rights(self, roles: Collection[str]) -> Rights:
        """Return what some roles may together; a role that there is no more may nothing.

        Of roles that see the city with different delay or coarseness only those count that see it
        least so: to have the open-data role, too, makes nobody see less, nor the others more.
        """
        key = tuple(sorted(set(roles)))
        with self._lock:
            known = self._rights.get(key)
            if known is None:
                if len(self._rights) >= RIGHTS_MAX:
                    self._rights.clear()
                known = self._rights[key] = self._made(key)
            return known

    def _made(self, names: tuple[str, ...]) -> Rights:
        known = [name for name in names if name in self.roles]
        least = min((_coarseness(self.roles[name]) for name in known), default=(0.0, 0.0, ()))
        mine = [name for name in known if _coarseness(self.roles[name]) == least]
        delay_s, mean_s, rounding = least
        return Rights(
            names,
            tuple(one for name in mine for one in self._grants[name]),
            delay_ns=int(delay_s * 1e9),
            mean_ns=int(mean_s * 1e9),
            rounding=dict(rounding),
            personal=self.personal,
        )


def load(path: Path | None = None) -> Policy:
    """Return the policy of a file with the shipped one behind it; without a file that alone.

    Raises:
        ConfigError: the file is wrong; the text names file, line and field.
    """
    shipped = Document(DEFAULT)
    table = _read_tables(shipped)
    roles, grants = dict(table.role), _grants(shipped, table, {})
    personal, public = table.personal or PersonalTable(), table.public
    if path is not None:
        document = Document(path)
        table = _read_tables(document)
        _check(document, table)
        roles |= table.role
        grants |= _grants(document, table, _areas(document, table))
        personal, public = table.personal or personal, table.public
        if public.role not in roles:
            raise document.error(_unknown("role", public.role, roles), ("public", "role"))
        if public.enabled and any(
            act is not Act.READ for grant in grants[public.role] for act in grant.acts
        ):
            raise document.error(
                f"the role {public.role} may more than read, so it is not for everybody",
                ("public", "role"),
            )
    roles[ADMIN] = RoleTable(words="does everything")
    grants[ADMIN] = (Grant(acts=frozenset(Act)),)
    return Policy(
        path, roles, grants, Names(personal.attributes), public.role if public.enabled else None
    )


def _read_tables(document: Document) -> PolicyTable:
    """Return a file with each of its roles and areas as a struct."""
    table = document.convert(PolicyTable)
    for name, one in table.role.items():
        table.role[name] = document.convert(RoleTable, one, ("role", name))
    for name, one in table.area.items():
        table.area[name] = document.convert(AreaTable, one, ("area", name))
    return table


def _check(document: Document, table: PolicyTable) -> None:
    if len(table.role) > ROLES_MAX:
        raise document.error(f"there are at most {ROLES_MAX} roles", ("role",))
    for name, role in table.role.items():
        at: At = ("role", name)
        if not _NAME.fullmatch(name):
            raise document.error(
                f"{name!r} is no name of a role: a letter, then letters, digits and -", at
            )
        if name == ADMIN:
            raise document.error("admin may everything and cannot be replaced: name another", at)
        if not role.may:
            raise document.error("it may nothing: give it a [[role.NAME.may]]", at)
        if len(role.may) > GRANTS_MAX:
            raise document.error(f"a role has at most {GRANTS_MAX} tables", (*at, "may"))
        for field, most in (("delay_s", DELAY_S_MAX), ("mean_s", MEAN_S_MAX)):
            if not 0 <= getattr(role, field) <= most:
                raise document.error(f"must be 0 to {most:g}", (*at, field))
        if 0 < role.mean_s < 1:
            raise document.error("must be 0, or 1 and more", (*at, "mean_s"))
        for attribute, step in role.round.items():
            if not 0 < step <= 1e12:
                raise document.error("a step is above 0", (*at, "round", attribute))
        coarse = role.delay_s or role.mean_s or role.round
        for index, grant in enumerate(role.may):
            _check_grant(document, grant, (*at, "may", index), coarse=bool(coarse))


def _check_grant(document: Document, grant: GrantTable, at: At, *, coarse: bool) -> None:
    if not grant.acts:
        raise document.error(f"is empty; there are {', '.join(Act)}", (*at, "acts"))
    for act in grant.acts:
        if act not in set(Act):
            raise document.error(_unknown("act", act, list(Act)), (*at, "acts"))
    for field in ("types", "attributes", "points"):
        if getattr(grant, field) == []:
            raise document.error("names nothing: leave it out, or the table", (*at, field))
    if coarse and set(grant.acts) != {"read"}:
        raise document.error(
            "a role that sees the city late or coarse may only read: give the rest to another role",
            (*at, "acts"),
        )
    limited = grant.types or grant.without_types or grant.attributes or grant.without_attributes
    if grant.points is not None:
        if limited:
            raise document.error(
                "points are about points alone, and types and attributes about entities: make two "
                "tables of it",
                (*at, "points"),
            )
        if not {"read", "command"}.issuperset(grant.acts):
            raise document.error("points can be read and commanded only", (*at, "acts"))


def _grants(
    document: Document, table: PolicyTable, areas: Mapping[str, Area]
) -> dict[str, tuple[Grant, ...]]:
    found = {}
    for name, role in table.role.items():
        made = []
        for index, one in enumerate(role.may):
            if one.area and one.area not in areas:
                at = ("role", name, "may", index, "area")
                raise document.error(_unknown("area", one.area, areas), at)
            made.append(
                Grant(
                    acts=frozenset(map(Act, one.acts)),
                    types=None if one.types is None else Names(one.types),
                    without_types=Names(one.without_types) if one.without_types else NONE,
                    attributes=None if one.attributes is None else Names(one.attributes),
                    without=Names(one.without_attributes) if one.without_attributes else NONE,
                    area=areas.get(one.area),
                    points=None if one.points is None else tuple(map(pattern, one.points)),
                )
            )
        found[name] = tuple(made)
    return found


def _areas(document: Document, table: PolicyTable) -> dict[str, Area]:
    found = {}
    for name, one in table.area.items():
        at: At = ("area", name)
        if bool(one.file) == (one.box is not None):
            raise document.error("an area has either a file or a box", at)
        if one.box is not None:
            west, south, east, north = one.box
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise document.error("is not west, south, east, north in degrees", (*at, "box"))
            geometry = shapely.box(west, south, east, north)
        else:
            try:
                geometry = _read(document.path.parent / one.file)
            except ConfigError as error:
                raise document.error(str(error), (*at, "file")) from None
        shapely.prepare(geometry)
        found[name] = Area(name, geometry)
    return found


def _read(path: Path) -> Any:
    """Return all polygons of a GeoJSON file as one geometry."""
    try:
        if path.stat().st_size > AREA_BYTES_MAX:
            raise ConfigError(f"{path} has over {AREA_BYTES_MAX} bytes")
        data = json.loads(path.read_bytes())
        parts = data["features"] if data.get("type") == "FeatureCollection" else [data]
        shapes = [shapely.geometry.shape(one.get("geometry", one)) for one in parts]
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} is not GeoJSON: {error}") from None
    except shapely.errors.ShapelyError as error:
        raise ConfigError(f"{path} is not GeoJSON: {error}") from None
    polygons = [one for one in shapes if one.geom_type in {"Polygon", "MultiPolygon"}]
    if not polygons or len(polygons) != len(shapes):
        raise ConfigError(f"{path} has something else than polygons, or nothing at all")
    return shapely.union_all([shapely.make_valid(one) for one in polygons])


def _coarseness(role: RoleTable) -> tuple[float, float, tuple[tuple[str, float], ...]]:
    return role.delay_s, role.mean_s, tuple(sorted(role.round.items()))


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"there is no {what} {name!r}; there are {', '.join(sorted(known)) or 'none'}"
