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
    try:
        found_name, found_version, kept = msgspec.msgpack.decode(
            state, type=tuple[str, int, dict[str, tuple[str, bytes]]]
        )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError(f"not a snapshot of {name}: {error}") from None
    if (found_name, found_version) != (name, version) or kept.keys() != columns.keys():
        raise MalformedError(f"not a snapshot of {name}, version {version}")
    for key, (dtype, data) in kept.items():
        if dtype != columns[key].dtype.str or len(data) != columns[key].nbytes:
            raise MalformedError(f"the snapshot of {name} is of other points")
    for key, (dtype, data) in kept.items():
        columns[key][...] = np.frombuffer(data, dtype).reshape(columns[key].shape)


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
