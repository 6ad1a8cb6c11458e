"""GTFS: agencies, stops, routes and shapes of a timetable; names of Smart Data Models.

A ZIP file or a folder, files as the GTFS reference has them: UTF-8, commas, a header. Trips are
read for the shapes that a route has; stop times and calendars are not taken.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Refusal,
    Settings,
    SourceError,
    check_size,
)

Row = Mapping[str, str]

FILE_BYTES_MAX: Final = 2 * 2**30
"""Of one file of a feed, unpacked: a ZIP file that holds more is not a timetable."""
SHAPE_POSITIONS_MAX: Final = 5_000_000
PAIRS_MAX: Final = 1_000_000
"""Shapes of routes."""
_REMEDY: Final = "cut the feed by agency"


def read(settings: Settings) -> Iterator[Found]:
    """Yield agencies, stops and stations, routes, shapes.

    Raises:
        SourceError: it is no feed.
    """
    with ExitStack() as stack:
        yield from _Feed(settings, stack).found()


class _Feed:
    """A feed that is open."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings, self._zip = settings, None
        if not settings.path.is_dir():
            try:
                self._zip = stack.enter_context(zipfile.ZipFile(settings.path))
            except (OSError, zipfile.BadZipFile) as error:
                raise SourceError(
                    f"{settings.path} is neither a folder nor a ZIP file ({error})"
                ) from None

    def found(self) -> Iterator[Found]:
        """Yield everything, what others name first."""
        yield from self._agencies()
        yield from self._stops()
        shapes = self._shapes_of_routes()
        yield from self._routes(shapes)
        yield from self._shapes()

    def _rows(self, name: str, *, needed: bool = False) -> Iterator[tuple[Row, str]]:
        """Yield the rows of a file with where they are; none if it is not there."""
        with ExitStack() as stack:
            try:
                if self._zip is not None:
                    if self._zip.getinfo(name).file_size > FILE_BYTES_MAX:
                        raise SourceError(f"{name} has over {FILE_BYTES_MAX} bytes; {_REMEDY}")
                    raw: Any = stack.enter_context(self._zip.open(name))
                else:
                    raw = stack.enter_context((self._settings.path / name).open("rb"))
                    check_size(self._settings.path / name, FILE_BYTES_MAX, _REMEDY)
            except (KeyError, FileNotFoundError):
                if needed:
                    raise SourceError(f"{self._settings.path} is no GTFS feed: no {name}") from None
                return
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            try:
                reader = csv.DictReader(text, restval="")
                for row in reader:
                    clean = {key: (one or "").strip() for key, one in row.items() if key}
                    yield clean, f"{name}:{reader.line_num}"
            except (csv.Error, UnicodeError, zipfile.BadZipFile) as error:
                raise SourceError(f"{name} cannot be read: {error}; GTFS is UTF-8 CSV") from None

    def _begin(self, kind: str, source_id: str, where: str, key: str) -> Draft | Refusal:
        if not source_id:
            return Refusal(where, key, "it is empty", "give it an id")
        return Draft(self._settings, kind, source_id, where)

    def _agencies(self) -> Iterator[Found]:
        for row, where in self._rows("agency.txt"):
            source_id = row.get("agency_id") or "agency"
            draft = Draft(self._settings, "GtfsAgency", source_id, where)
            draft.value("agencyName", row.get("agency_name")).value("page", row.get("agency_url"))
            draft.value("timezone", row.get("agency_timezone")).value(
                "phone", row.get("agency_phone")
            )
            yield draft.value("language", row.get("agency_lang")).record()

    def _stops(self) -> Iterator[Found]:
        for row, where in self._rows("stops.txt", needed=True):
            kind = "GtfsStation" if row.get("location_type") == "1" else "GtfsStop"
            draft = self._begin(kind, row.get("stop_id", ""), where, "stop_id")
            if isinstance(draft, Refusal):
                yield draft
                continue
            place, reason = _place(row.get("stop_lon", ""), row.get("stop_lat", ""))
            if reason and row.get("location_type", "0") in {"", "0", "1", "2"}:
                yield Refusal(
                    where, "stop_lon, stop_lat", reason, "correct it",
                    draft.source_id, kind, whole=False,
                )  # fmt: skip
            draft.geometry(places.point(place)).value("name", row.get("stop_name"))
            draft.value("code", row.get("stop_code")).value("zoneCode", row.get("zone_id"))
            draft.value("description", row.get("stop_desc")).value("page", row.get("stop_url"))
            draft.value("wheelChairAccessible", {"1": "1", "2": "2"}.get(
                row.get("wheelchair_boarding", "")))  # fmt: skip
            parent = "GtfsStop" if row.get("location_type") == "4" else "GtfsStation"
            draft.tie("hasParentStation", (parent, row.get("parent_station", "")))
            yield draft.record()

    def _shapes_of_routes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        count = 0
        for row, _ in self._rows("trips.txt"):
            route, shape = row.get("route_id", ""), row.get("shape_id", "")
            if route and shape and shape not in found[route]:
                count += 1
                if count > PAIRS_MAX:
                    raise SourceError(
                        f"trips.txt ties over {PAIRS_MAX} shapes to routes; {_REMEDY}"
                    )
                found[route].append(shape)
        return found

    def _routes(self, shapes: Mapping[str, list[str]]) -> Iterator[Found]:
        for row, where in self._rows("routes.txt", needed=True):
            draft = self._begin("GtfsRoute", row.get("route_id", ""), where, "route_id")
            if isinstance(draft, Refusal):
                yield draft
                continue
            draft.value("name", row.get("route_long_name") or row.get("route_short_name"))
            draft.value("shortName", row.get("route_short_name"))
            draft.value("description", row.get("route_desc")).value("page", row.get("route_url"))
            draft.value("routeType", row.get("route_type"))
            draft.value("routeColor", row.get("route_color"))
            draft.value("routeTextColor", row.get("route_text_color"))
            draft.tie("operatedBy", ("GtfsAgency", row.get("agency_id") or "agency"))
            draft.tie("hasShape", *(("GtfsShape", one) for one in shapes.get(draft.source_id, ())))
            yield draft.record()

    def _shapes(self) -> Iterator[Found]:
        found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        count = 0
        for row, where in self._rows("shapes.txt"):
            place, reason = _place(row.get("shape_pt_lon", ""), row.get("shape_pt_lat", ""))
            order = row.get("shape_pt_sequence", "")
            if place is None or not order.isdigit() or not row.get("shape_id"):
                yield Refusal(
                    where, "shape_pt_sequence" if place else "shape_pt_lon, shape_pt_lat",
                    reason or f"{order[:60]!r} is no whole number", "correct it",
                    row.get("shape_id", ""), "GtfsShape", whole=False,
                )  # fmt: skip
                continue
            count += 1
            if count > SHAPE_POSITIONS_MAX:
                raise SourceError(f"shapes.txt has over {SHAPE_POSITIONS_MAX} positions; {_REMEDY}")
            found[row["shape_id"]].append((int(order), *place))
        for name, positions in found.items():
            where = f"shapes.txt: {name}"
            line = places.line([one[1:] for one in sorted(positions)])
            if line is None:
                yield Refusal(where, "geometry", "it has fewer than two places",
                              "complete it", name, "GtfsShape")  # fmt: skip
            else:
                yield Draft(self._settings, "GtfsShape", name, where).geometry(line).record()
        if not found:
            yield Note("the feed has no shapes: routes came without a way on the map")


def _place(lon: str, lat: str) -> tuple[tuple[float, float] | None, str]:
    try:
        place = round(float(lon), places.DEGREE_DIGITS), round(float(lat), places.DEGREE_DIGITS)
    except ValueError:
        return None, f"{lon[:30]!r}, {lat[:30]!r} is no longitude and latitude"
    if not (-180 <= place[0] <= 180 and -90 <= place[1] <= 90):
        return None, f"{lon[:30]}, {lat[:30]} lies nowhere on Earth"
    return place, ""
