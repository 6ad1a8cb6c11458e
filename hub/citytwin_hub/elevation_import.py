"""Elevation import: heights of a terrain model for the objects that the hub has, in pages."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final

from citytwin.errors import CityTwinError
from citytwin_hub.client import HubClient
from citytwin_hub.importers.dem import OUTSIDE, TYPES, Model
from citytwin_hub.importers.frame import Note, Refusal, Settings
from citytwin_hub.importers.report import Report

BATCH: Final = 1000
"""In one request, which is one transaction."""
TYPES_MAX: Final = 50


def run(report: Report, hub: HubClient | None, settings: Settings, options: Any) -> None:
    """Give the hub's objects the heights that a model has where they are.

    Args:
        report: takes what came of it.
        hub: the running hub.
        settings: which model.
        options: of the command line: ``type``, ``overwrite``, ``tenant``.

    Raises:
        CityTwinError: the file is no terrain model, no hub runs, or it refuses.
    """
    if hub is None:
        raise CityTwinError(
            "format dem needs the running hub, for it has the objects; see --hub and --token"
        )
    types: list[str] = list(dict.fromkeys(options.type or TYPES))
    if len(types) > TYPES_MAX:
        raise CityTwinError(f"--type was given over {TYPES_MAX} times")
    with closing(Model(settings.path, settings.crs)) as model:
        _Heights(report, hub, model, overwrite=options.overwrite, tenant=options.tenant).run(types)


class _Heights:
    """One import of heights."""

    def __init__(
        self, report: Report, hub: HubClient, model: Model, *, overwrite: bool, tenant: str
    ) -> None:
        self._report, self._hub, self._model, self._overwrite = report, hub, model, overwrite
        self._tenant = f"?tenant={tenant}" if tenant else ""
        self._query = {"tenant": tenant} if tenant else {}
        self._kept = 0

    def run(self, types: list[str]) -> None:
        """Look at every object of the types."""
        for note in self._model.notes:
            self._report.note(note)
        after: str | None = ""
        while after is not None:
            page = self._hub.get(
                "import/nodes", type=types, after=after, limit=BATCH, **self._query
            )
            self._take(page["nodes"])
            after = page["next"]
        if self._kept:
            self._report.note(
                Note(
                    f"{self._kept} objects keep the elevation that they have from elsewhere; "
                    "--overwrite replaces it"
                )
            )
        if not self._report.kinds:
            self._report.note(Note(f"the city has no object of {', '.join(types)}; see --type"))

    def _take(self, nodes: Iterable[dict[str, Any]]) -> None:
        placed = []
        for one in nodes:
            self._report.kinds[one["type"]] += 1
            if one["place"] is None:
                self._without(one, "location", "it has no Point", "give it a place first")
            else:
                placed.append(one)
        heights = []
        found = self._model.heights([one["place"] for one in placed])
        for one, (height, why) in zip(placed, found, strict=True):
            if math.isnan(height):
                remedy = "add the model of its area" if why == OUTSIDE else "fill the model's gap"
                self._without(one, "elevation", why, remedy)
            else:
                heights.append({"id": one["id"], "elevation_m": height})
        if heights:
            self._send(heights)

    def _send(self, heights: list[dict[str, Any]]) -> None:
        body = {
            "source": self._report.source,
            "heights": heights,
            "overwrite": self._overwrite,
            "dry_run": self._report.dry_run,
        }
        taken = self._hub.post(f"import/elevations{self._tenant}", body)
        self._report.created += taken["created"]
        self._report.changed += taken["changed"]
        self._report.unchanged += taken["unchanged"]
        self._kept += taken["kept"]
        for one in taken["refused"]:
            self._report.refuse(
                Refusal(one["id"], "elevation", f"the hub refuses it: {one['reason']}", "try again")
            )

    def _without(self, one: dict[str, Any], field: str, reason: str, remedy: str) -> None:
        self._report.refuse(
            Refusal(one["id"], field, reason, remedy, one["id"], one["type"], whole=False)
        )
