"""State: how kernels keep their columns in a snapshot, with name, version and size checked."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from citytwin.errors import MalformedError

Columns = dict[str, npt.NDArray[Any]]


def save(name: str, version: int, columns: Columns) -> bytes:
    """Return the bytes of a kernel's columns."""
    kept = {key: (column.dtype.str, column.tobytes()) for key, column in columns.items()}
    return msgspec.msgpack.encode((name, version, kept))


def load(state: bytes, name: str, version: int, columns: Columns) -> None:
    """Fill ``columns`` in place from what ``save`` gave.

    Raises:
        MalformedError: the bytes are not a snapshot of this kernel, version and set of points.
    """
    found_name, found_version, kept = _opened(state, name)
    if (found_name, found_version) != (name, version) or kept.keys() != columns.keys():
        raise MalformedError(f"not a snapshot of {name}, version {version}")
    for key, (dtype, data) in kept.items():
        if dtype != columns[key].dtype.str or len(data) != columns[key].nbytes:
            raise MalformedError(f"the snapshot of {name} is of other points")
    for key, (dtype, data) in kept.items():
        columns[key][...] = np.frombuffer(data, dtype).reshape(columns[key].shape)


def carried(old: bytes, new: bytes, rows: npt.NDArray[np.intp]) -> bytes:
    """Return the snapshot ``new`` with the state of the points that ``old`` knows already.

    Args:
        old, new: snapshots of one kind of kernel, of different points.
        rows: shape (n, 2): which row of ``old`` goes to which row of ``new``.

    Raises:
        MalformedError: they are of different kinds or versions, or no columns by point.
    """
    name, version, before = _opened(old, "the old kernel")
    new_name, new_version, after = _opened(new, "the new kernel")
    if (name, version, before.keys()) != (new_name, new_version, after.keys()):
        raise MalformedError(f"a snapshot of {name} {version} is none of {new_name} {new_version}")
    kept: Columns = {}
    for key, (dtype, data) in after.items():
        column = kept[key] = np.frombuffer(data, dtype).copy()
        source = np.frombuffer(before[key][1], before[key][0])
        if before[key][0] != dtype or (
            len(rows) and (rows.max(axis=0) >= (len(source), len(column))).any()
        ):
            raise MalformedError(f"column {key} of {name} does not fit")
        column[rows[:, 1]] = source[rows[:, 0]]
    return save(name, version, kept)


def _opened(state: bytes, name: str) -> tuple[str, int, dict[str, tuple[str, bytes]]]:
    try:
        return msgspec.msgpack.decode(state, type=tuple[str, int, dict[str, tuple[str, bytes]]])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError(f"not a snapshot of {name}: {error}") from None


def rounds(point: npt.NDArray[np.int32]) -> list[npt.NDArray[np.intp]]:
    """Return index columns, the k-th with the k-th sample of each point, in order of arrival.

    Within one round every point occurs once at most, so a round can be computed in one go; in the
    common case of one sample a point there is one round.
    """
    if len(point) < 2 or bool((point[1:] > point[:-1]).all()):
        return [np.arange(len(point))] if len(point) else []
    order = np.argsort(point, kind="stable")
    ordered = point[order]
    heads = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sizes = np.diff(np.append(heads, len(point)))
    turn = np.empty(len(point), np.intp)
    turn[order] = np.arange(len(point)) - np.repeat(heads, sizes)
    return [np.flatnonzero(turn == k) for k in range(int(turn.max()) + 1)]
