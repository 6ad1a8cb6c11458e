"""Exports: samples of any span into a file, a part at a time, so that memory has a limit."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import quote

from citytwin.errors import CityTwinError
from citytwin.quality import Quality
from citytwin_hub.client import HubClient, Refused
from citytwin_hub.tables import local_time

ROWS_MAX: Final = 200
SPAN_MS: Final = 3_600_000
SPAN_MS_MAX: Final = 366 * 86_400_000
SAMPLES_FEW: Final = 100_000
COLUMNS: Final = ("point", "time", "value", "text", "quality", "reason")


class Downloads(Protocol):
    """Who fetches files of the hub: :class:`citytwin_hub.client.HubClient`."""

    def download(self, path: str, file: BinaryIO, **query: str) -> Mapping[str, str]:
        """Write an answer to a file; return its headers."""
        ...


Part = dict[str, Any]
"""Samples of one point: row, and the columns time_ms, value, quality and, of texts, text."""


def samples(
    client: HubClient, rows: Sequence[int], start_ms: int, end_ms: int
) -> Iterator[list[Part]]:
    """Yield the samples of a span, each time as many as the hub gives in one answer.

    Raises:
        CityTwinError: the hub refuses for another reason than that there are too many.
    """
    for first in range(0, len(rows), ROWS_MAX):
        listed = ",".join(str(row) for row in rows[first : first + ROWS_MAX])
        begin, span = start_ms, SPAN_MS
        while begin < end_ms:
            until = min(begin + span, end_ms)
            try:
                answer = client.get("history", rows=listed, start_ms=begin, end_ms=until)
            except Refused as error:
                if error.field != "end_ms" or until - begin == 1:
                    raise
                span = (until - begin) // 2
                continue
            yield answer["samples"]
            begin = until
            if sum(len(part["time_ms"]) for part in answer["samples"]) < SAMPLES_FEW:
                span = min(2 * span, SPAN_MS_MAX)


def entities(client: Downloads, path: Path, collection: str, query: Mapping[str, str]) -> int:
    """Write the entities of a collection, as the hub exports them, the whole file or none.

    Args:
        client: asks the hub.
        path: the file.
        collection: the name of a type.
        query: ``f`` and what chooses features (docs/specs/ogc.md).

    Returns:
        How many they are.

    Raises:
        CityTwinError: the hub refuses, or the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            address = f"/ogc/features/v1/collections/{quote(collection, safe='')}/export"
            headers = client.download(address, file, **query)
        partial.replace(path)
    except OSError as error:
        raise CityTwinError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return int(headers.get("citytwin-features", "0"))


def write(path: Path, form: str, parts: Iterable[list[Part]], names: Mapping[int, str]) -> int:
    """Write samples as ``csv`` or ``parquet``, the whole file or none; return how many.

    Raises:
        CityTwinError: the file cannot be written, or what yields ``parts`` failed.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        count = (_write_csv if form == "csv" else _write_parquet)(partial, parts, names)
        partial.replace(path)
    except OSError as error:
        raise CityTwinError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _write_csv(path: Path, parts: Iterable[list[Part]], names: Mapping[int, str]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for part in itertools.chain.from_iterable(parts):
            columns = (part["time_ms"], part["value"], _texts(part), part["quality"])
            for time_ms, value, text, quality in zip(*columns, strict=True):
                shown = "" if value is None or text is not None else repr(value)
                writer.writerow(
                    (names[part["row"]], local_time(time_ms), shown, text or "", quality,
                     Quality(quality).reason)
                )  # fmt: skip
            count += len(part["time_ms"])
    return count


def _write_parquet(path: Path, parts: Iterable[list[Part]], names: Mapping[int, str]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    word = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("point", word),
            ("time", pa.timestamp("ms", tz="UTC")),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("quality", pa.uint8()),
            ("reason", word),
        ]
    )
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in itertools.chain.from_iterable(parts):
            size = len(part["time_ms"])
            if not size:
                continue
            texts = _texts(part)
            values = [
                None if text is not None else value
                for value, text in zip(part["value"], texts, strict=True)
            ]
            columns = (
                [names[part["row"]]] * size, part["time_ms"], values, texts, part["quality"],
                [Quality(quality).reason for quality in part["quality"]],
            )  # fmt: skip
            arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += size
    return count


def _texts(part: Part) -> list[str | None]:
    return part.get("text") or [None] * len(part["time_ms"])
