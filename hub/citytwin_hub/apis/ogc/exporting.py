"""Exporting: all features that a request chooses, as one file that is whole before it is sent."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from citytwin.errors import StoreError
from citytwin_hub.apis.ogc import cityjson, crs, tables
from citytwin_hub.apis.ogc.calls import FEATURES, Ask, Described, Parameter, Resource
from citytwin_hub.apis.ogc.features import Feature
from citytwin_hub.apis.ogc.items import COLLECTION, CRS
from citytwin_hub.apis.ogc.naming import short, type_of
from citytwin_hub.apis.ogc.pages import extents
from citytwin_hub.apis.ogc.selecting import CHOICES, choice_of, chosen
from citytwin_hub.apis.ogc.spool import Spool
from citytwin_hub.apis.personal import personal_of
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import Entity

EXPORTS_MAX: Final = 2
"""Under way at one time: each takes a thread and its file's room on the disk."""
FORMATS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "csv": ("text/csv", "csv"),
        "parquet": ("application/vnd.apache.parquet", "parquet"),
        "geoparquet": ("application/vnd.apache.parquet", "parquet"),
        "cityjson": ("application/city+json", "city.json"),
    }
)
"""Media type and ending of each format."""
_under_way: Final = threading.BoundedSemaphore(EXPORTS_MAX)


def export(ask: Ask) -> Response:
    """Return a file."""
    form = ask.given.get("f", "csv")
    if form not in FORMATS:
        raise BadRequestData(f"f {form[:20]!r} is none of {', '.join(FORMATS)}")
    system = crs.system(ask.given.get("crs", crs.CRS84), "crs")
    iri = type_of(ask.path["collection"], ask.tenant.entities.store.types())
    choice = choice_of(ask, iri, {"f", "crs"})
    if not _under_way.acquire(blocking=False):
        raise StoreError(f"{EXPORTS_MAX} exports are under way already; try again")
    folder = Path(tempfile.mkdtemp(prefix="citytwin-export-"))
    path = folder / "export"
    try:
        if form == "cityjson":
            system = cityjson.system_of(system, extents(ask).get(iri, (75.0,))[0])
        spool = Spool(folder / "spool", system)
        told = dict[str, Entity]()
        with closing(chosen(ask, choice)) as features:
            spool.fill(_noted(ask, features, told))
        ask.note(told.values(), choice.names)
        if form == "cityjson":
            cityjson.write(path, spool, system, short(iri))
        else:
            tables.WRITERS[form](path, spool, system)
        (folder / "spool").unlink()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"the export cannot be written: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        _under_way.release()
    media, ending = FORMATS[form]
    return FileResponse(
        path,
        media_type=media,
        filename=f"{short(iri)}.{ending}",
        headers={"Content-Crs": f"<{system}>", "CityTwin-Features": str(spool.count)},
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def _noted(ask: Ask, features: Iterator[Feature], told: dict[str, Entity]) -> Iterator[Feature]:
    """Yield features; those that have personal attributes are remembered without all else."""
    for one in features:
        some = personal_of(ask.permit, one.entity)
        if some:
            kept = {iri: one.entity.attributes[iri] for iri in some}
            told[one.entity.id] = replace(one.entity, attributes=kept)
        yield one


_FORM: Final = Parameter(
    "f", "The format.", {"type": "string", "enum": list(FORMATS), "default": "csv"}
)
ROUTES: Final = [
    Described(
        FEATURES + "/collections/{collection}/export",
        export,
        Resource(
            "All features that are chosen, as one file.",
            tuple(dict.fromkeys(media for media, _ in FORMATS.values())),
            (COLLECTION, _FORM, CRS, *CHOICES),
            others=True,
            fails=(404,),
        ),
    ),
]
