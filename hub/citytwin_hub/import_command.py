"""Import command: what `citytwin-hub import` reads, tells the running hub, and reports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Final

import msgspec

from citytwin import files
from citytwin.errors import CityTwinError
from citytwin_hub.client import HubClient, Refused
from citytwin_hub.entities.model import MEMBER, RELATIONSHIPS, Attribute, Entity
from citytwin_hub.importers import report as reports
from citytwin_hub.importers.frame import (
    FORMATS,
    Found,
    Note,
    Record,
    Refusal,
    Settings,
    check,
    importer,
    urn,
)
from citytwin_hub.importers.report import Report

WORDS: Final = "bring city objects in from a file: networks, maps, registers"
BATCH_ENTITIES_MAX: Final = 500
"""In one request, which is one transaction."""
BATCH_BYTES_MAX: Final = 8 * 2**20
OBJECT_BYTES_MAX: Final = 16 * 2**20
"""Of one object as JSON; the hub takes no larger body."""
OBJECTS_MAX: Final = 5_000_000
"""Of one source: about 100 bytes each are kept to tell what is there twice and what vanished."""
PAGE: Final = 10_000
PRUNE_MAX: Final = 1000


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    listed = "; ".join(f"{name}: {one.words}" for name, one in FORMATS.items())
    command.add_argument("format", choices=tuple(FORMATS), metavar="FORMAT", help=listed)
    command.add_argument("file", type=Path, metavar="FILE", help="file, or folder")
    command.add_argument("--source", default="", help="name of the source (the file's)")
    command.add_argument("--mapping", type=Path, help="what is what in the file (TOML)")
    command.add_argument("--crs", default="", help="coordinate system of the file: EPSG:32643")
    command.add_argument("--dry-run", action="store_true", help="write nothing, only report")
    command.add_argument("--prune", action="store_true", help="delete what the source has no more")
    command.add_argument("--type", action="append", help="dem: elevations for these types only")
    command.add_argument("--overwrite", action="store_true", help="dem: also what was surveyed")
    command.add_argument("--report", type=Path, help="FILE.html or FILE.json")
    command.add_argument("--tenant", default="", help="of this tenant")


def answer(options: Any, client: HubClient | None = None) -> dict[str, Any]:
    """Import; return the report.

    Args:
        options: of the command line.
        client: the hub's; None: that which the options say.

    Raises:
        CityTwinError: the file, its mapping or an argument cannot be meant, or the hub refuses.
    """
    if options.report is not None and options.report.suffix not in {".html", ".json"}:
        raise CityTwinError(f"--report {options.report} must end with .html or .json")
    source = options.source or options.file.stem.lower()
    settings = Settings(options.file, source, options.crs, options.mapping)
    check(settings, options.format)
    _check_options(options)
    read = importer(options.format)
    told = Report(source, options.file.name, options.format, dry_run=options.dry_run)
    try:
        hub = client or HubClient.of(options.config, options.hub, options.token)
    except CityTwinError:
        if not options.dry_run:
            raise
        hub = None
    with closing(hub) if hub is not None else nullcontext():
        if options.format == "dem":
            from citytwin_hub import elevation_import  # needs the libraries of the extra import

            elevation_import.run(told, hub, settings, options)
        else:
            _Import(told, hub, options.tenant).run(read(settings), prune=options.prune)
    shown = told.as_json()
    if options.report is not None:
        whole = json.dumps(shown, ensure_ascii=False, indent=1)
        text = reports.page(shown) if options.report.suffix == ".html" else whole
        files.replace(options.report, lambda file: file.write(text.encode()))
    return shown


def _check_options(options: Any) -> None:
    if options.format == "dem" and options.prune:
        raise CityTwinError("format dem takes no --prune: it brings no objects, only elevations")
    if options.format != "dem" and (options.type or options.overwrite):
        raise CityTwinError("--type and --overwrite are for format dem only")


def lines(_options: Any, found: dict[str, Any]) -> Iterator[str]:
    """Yield an answer as people read it."""
    yield from reports.text(found)


def code(found: dict[str, Any]) -> int:
    """Return the exit code: 1 where something was refused."""
    return 1 if found["refused"] or found["unpruned"] else 0


class _Import:
    """One import on its way to the hub."""

    def __init__(self, report: Report, hub: HubClient | None, tenant: str) -> None:
        self._report, self._hub = report, hub
        self._tenant = f"?tenant={tenant}" if tenant else ""
        self._query = {"tenant": tenant} if tenant else {}
        self._seen: set[int] = set()
        self._batch: dict[str, tuple[dict[str, Any], Record]] = {}
        self._bytes, self._nameless = 0, 0

    def run(self, found: Iterator[Found], *, prune: bool) -> None:
        """Take everything that a source gives, and look for what it gives no more."""
        for one in found:
            if isinstance(one, Note):
                self._report.note(one)
            elif isinstance(one, Refusal):
                self._refuse(one)
            else:
                self._take(one)
        self._flush()
        if self._hub is not None:
            self._look_for_vanished(prune=prune)

    def _refuse(self, refusal: Refusal) -> None:
        self._report.refuse(refusal)
        if not refusal.whole:
            return
        if refusal.source_id and refusal.kind:
            self._seen.add(_key(urn(self._report.source, refusal.source_id, refusal.kind)))
        else:
            self._nameless += 1

    def _take(self, record: Record) -> None:
        key = _key(record.entity.id)
        if key in self._seen:
            self._report.refuse(Refusal(
                record.where, "id", f"{record.source_id!r} is there already, further up",
                "give each object an id of its own",
            ))  # fmt: skip
            return
        if len(self._seen) >= OBJECTS_MAX:
            raise CityTwinError(
                f"{self._report.file} has over {OBJECTS_MAX} objects; cut it by area and import "
                "each part as a source of its own"
            )
        self._seen.add(key)
        self._report.read(record)
        document = document_of(record.entity)
        size = len(msgspec.json.encode(document))
        if size > OBJECT_BYTES_MAX:
            self._report.refuse(Refusal(
                record.where, "", f"it has {size} bytes, and an object has at most "
                f"{OBJECT_BYTES_MAX}", "make its geometry simpler", record.source_id,
                record.entity.id.split(":")[2],
            ))  # fmt: skip
            return
        if self._bytes + size > BATCH_BYTES_MAX or len(self._batch) >= BATCH_ENTITIES_MAX:
            self._flush()
        self._batch[record.entity.id] = (document, record)
        self._bytes += size

    def _flush(self) -> None:
        batch, self._batch, self._bytes = self._batch, {}, 0
        if not batch or self._hub is None:
            self._report.compared = self._hub is not None
            return
        body = {
            "source": self._report.source,
            "entities": [document for document, _ in batch.values()],
            "aliases": {
                one: [{"system": system, "name": name} for system, name in record.aliases]
                for one, (_, record) in batch.items()
                if record.aliases
            },
            "dry_run": self._report.dry_run,
        }
        try:
            taken = self._hub.post(f"import{self._tenant}", body)
        except Refused:
            raise
        except CityTwinError:
            if not self._report.dry_run:
                raise
            self._hub, self._report.compared = None, False
            return
        self._report.created += taken["created"]
        self._report.changed += taken["changed"]
        self._report.unchanged += taken["unchanged"]
        self._join(taken["joined"], batch)
        for one in taken["refused"]:
            where = batch[one["id"]][1].where if one["id"] in batch else one["id"]
            remedy = "correct it in the source, or leave it out by the mapping"
            self._report.refuse(Refusal(where, "", f"the hub refuses it: {one['reason']}", remedy))
        for one in taken["lacking"]:
            record, remedy = batch[one["id"]][1], "say in one source only which is right"
            self._report.refuse(Refusal(
                record.where, one["field"], one["reason"], remedy,
                record.source_id, one["id"].split(":")[2], whole=False,
            ))  # fmt: skip

    def _join(
        self,
        joined: Sequence[dict[str, str]],
        batch: Mapping[str, tuple[dict[str, Any], Record]],
    ) -> None:
        """Note under which URNs the city has what it knows already."""
        for one in joined:
            key, record = _key(one["urn"]), batch[one["id"]][1]
            if key in self._seen:
                reason = f"it is {one['urn']}, as another one further up is"
                self._report.refuse(Refusal(
                    record.where, "aliases", reason, "correct the name of one of them",
                    record.source_id, one["id"].split(":")[2], whole=False,
                ))  # fmt: skip
            self._seen.add(key)
            self._report.joined += 1

    def _look_for_vanished(self, *, prune: bool) -> None:
        after: str | None = ""
        vanished: list[str] = []
        unsure = 0
        while after is not None and self._hub is not None:
            page = self._hub.get(
                "import/ids", source=self._report.source, after=after, limit=PAGE, **self._query
            )
            for one in page["ids"]:
                if _key(one) in self._seen:
                    continue
                if self._report.refused and one.split(":")[3:4] != [self._report.source]:
                    unsure += 1  # it has another source's URN, and may be one that was refused
                else:
                    self._report.vanish(one)
                    vanished.append(one)
            after = page["next"]
        if unsure:
            self._report.note(Note(
                f"{unsure} objects that other sources gave, too, may be gone or among those that "
                "were refused; correct these first"
            ))  # fmt: skip
        if not (prune and vanished) or self._report.dry_run:
            return
        if self._nameless:
            self._report.unpruned = (
                f"nothing was deleted: {self._nameless} objects were refused before their id was "
                "known, so what is gone is not sure; correct them first"
            )
            return
        for start in range(0, len(vanished), PRUNE_MAX):
            body = {"source": self._report.source, "ids": vanished[start : start + PRUNE_MAX]}
            assert self._hub is not None
            self._report.deleted += self._hub.post(f"import/prune{self._tenant}", body)["deleted"]


def _key(urn_: str) -> int:
    """Return what stands for a URN in memory: 64 bits of its digest."""
    return int.from_bytes(hashlib.blake2b(urn_.encode(), digest_size=8).digest(), "big")


def document_of(entity: Entity) -> dict[str, Any]:
    """Return an entity as an NGSI-LD document, normalized, its names whole IRIs."""
    document: dict[str, Any] = {"id": entity.id, "type": list(entity.types)}
    for name, instances in entity.attributes.items():
        document[name] = _attribute(instances[0])
    return document


def _attribute(one: Attribute) -> dict[str, Any]:
    told = {"type": str(one.kind), MEMBER[one.kind]: one.value}
    if one.unit_code and one.kind not in RELATIONSHIPS:
        told["unitCode"] = one.unit_code
    return told | {name: _attribute(parts[0]) for name, parts in one.parts.items()}
