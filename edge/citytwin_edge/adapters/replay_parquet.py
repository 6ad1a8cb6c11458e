"""Replay's other form of a recording: a Parquet file with the columns point, time and value."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from citytwin.errors import ConfigError

SUFFIX: Final = ".parquet"
ROWS_AT_ONCE: Final = 10_000


def rows(
    path: Path, columns: tuple[str, ...], rows_max: int, time_ns: Callable[[str], int]
) -> Iterator[tuple[str, int, float]]:
    """Yield point, time in ns and value of each row.

    Args:
        path: the file.
        columns: the names of the columns of point, time and value.
        rows_max: how many rows it may have.
        time_ns: reads a time that is written as in a CSV file: a text or a number of seconds.

    Raises:
        ConfigError: it is no such file, or a row is none; the text says which.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(
            f"{path}: a gateway reads Parquet with pyarrow, which is not installed here: "
            f"{Path(sys.prefix) / 'bin/pip'} install pyarrow, or save the recording as CSV"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise ConfigError(f"{path}: has no column {', '.join(missing)}")
            if file.metadata.num_rows > rows_max:
                raise ConfigError(f"{path}: has over {rows_max} rows")
            number = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
                for row in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                    number += 1
                    yield _row(path, number, row, time_ns)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise ConfigError(f"{path}: is not a Parquet file: {error}") from None


def _row(
    path: Path, number: int, row: tuple[Any, Any, Any], time_ns: Callable[[str], int]
) -> tuple[str, int, float]:
    name, time, value = row
    try:
        if isinstance(time, datetime.datetime):
            time = time.isoformat()
        return str(name), time_ns(str(time)), float("nan" if value is None else value)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(
            f"{path}: row {number}: time {time!r} or value {value!r} is not one; times are time "
            "stamps, ISO 8601 or seconds, values numbers or empty"
        ) from None
