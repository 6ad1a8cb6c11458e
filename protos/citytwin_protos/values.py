"""Values: the value column of a block <-> what could not be foreseen of it.

Every value is a whole number in the form of its point. Its difference to the one before, less the
drift that the point's memory expects, is zig-zagged and Rice-coded with the shift that the memory
expects. Points that are new, or whose form no longer suffices, *begin*: form, shift and first
number are told.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from citytwin.errors import MalformedError
from citytwin_protos.bits import (
    SHIFT_MAX,
    Int64,
    UInt8,
    UInt64,
    bit_lengths,
    get_bytewise,
    get_rice,
    put_bytewise,
    put_rice,
    unzigzag,
    zigzag,
)
from citytwin_protos.columns import Float64, Mask, Runs, get_places, put_places
from citytwin_protos.decimals import DIGITS, DOUBLE, UNSET, choose_form, from_whole, to_whole
from citytwin_protos.memory import CAP, SHIFT_FIRST, Groups, Index, PointMemory

BegunPart = tuple[Runs | None, bytes, bytes, bytes]
"""Which known points begin anew; forms, shifts and first numbers of all that begin."""

_SIMPLE_DIGITS: Final = 2
"""A point written with so few digits is not asked whether fewer would do."""


def put_values(
    memory: PointMemory, value: Float64, groups: Groups, *, reconsider: bool
) -> tuple[BegunPart | None, bytes]:
    """Return the points that begin, and the Rice code of what was not foreseen of the rest.

    Args:
        memory: of the stream; learns this block.
        value: shape (n,), without odd values.
        groups: which of them belong to which point.
        reconsider: ask whether points could be written more simply than they once had to be.
    """
    value = value if groups.order is None else value[groups.order]
    at = memory.find(groups.points)
    before = memory.form[at]
    whole, form = _whole(value, groups, before, reconsider=reconsider)
    begun = form != before
    codes, shift = _foresee(memory, at, groups, whole, begun)
    if not begun.any():
        return None, put_rice(codes, groups.spread(shift))
    firsts = groups.starts[begun]
    rest = np.ones(len(codes), np.bool_)
    rest[firsts] = False
    again = begun & (groups.counts > 1)
    if again.any():
        shift[again] = _shifts(codes, rest, groups, again)
    memory.begin(at[begun], form[begun], shift[begun])
    anew = np.flatnonzero(begun & (before != UNSET))
    part = (
        put_places(anew) if len(anew) else None,
        _nibbles(form[begun]),
        shift[again].tobytes(),
        put_bytewise(codes[firsts]),
    )
    return part, put_rice(codes[rest], groups.spread(shift)[rest])


def get_values(
    memory: PointMemory, groups: Groups, begun: BegunPart | None, codes: bytes
) -> Float64:
    """Return the values of :func:`put_values`, in the order of the samples.

    Raises:
        MalformedError: the parts do not fit the points, or hold what is no value.
    """
    at = memory.find(groups.points)
    fresh = memory.form[at] == UNSET
    count = int(groups.counts.sum())
    shift, drift, estimate = memory.expect(at)
    last = memory.last[at]
    forms = np.empty(0, np.uint8)
    if begun is None:
        if fresh.any():
            raise MalformedError("a point has values but no form")
        unseen = get_rice(codes, groups.spread(shift))
    else:
        forms, first_shifts, firsts = _get_begun(begun, fresh, groups)
        shift[fresh], drift[fresh], estimate[fresh], last[fresh] = first_shifts, 0, 0, 0
        unseen = np.empty(count, np.uint64)
        behind = np.ones(count, np.bool_)
        behind[groups.starts[fresh]] = False
        unseen[~behind] = firsts
        unseen[behind] = get_rice(codes, groups.spread(shift)[behind])
    steps = unzigzag(unseen) + groups.spread(drift)
    sums = np.cumsum(steps)
    before = sums[groups.starts] - steps[groups.starts] - last
    whole = sums - groups.spread(before)
    memory.last[at] = whole[groups.starts + groups.counts - 1]
    if not fresh.all():
        memory.learn(at, groups, steps, estimate)
    if begun is not None:
        memory.begin(at[fresh], forms, shift[fresh])
    value = from_whole(whole, groups.spread(memory.form[at]))
    if groups.order is None:
        return value
    unsorted = np.empty(count)
    unsorted[groups.order] = value
    return unsorted


def _get_begun(part: BegunPart, fresh: Mask, groups: Groups) -> tuple[UInt8, UInt8, UInt64]:
    """Return form, shift and first code of the points that begin, and mark them in ``fresh``."""
    anew, forms, shifts, firsts = part
    if anew is not None:
        fresh[get_places(anew, len(fresh))] = True
    count = int(np.count_nonzero(fresh))
    form = _from_nibbles(forms, count)
    if not count or form.max() > DOUBLE:
        raise MalformedError("the forms of the points that begin are not such")
    again = groups.counts[fresh] > 1
    given = np.frombuffer(shifts, np.uint8)
    if len(given) != int(np.count_nonzero(again)) or given.max(initial=0) > SHIFT_MAX:
        raise MalformedError("the shifts of the points that begin are not such")
    shift = np.full(count, SHIFT_FIRST, np.uint8)
    shift[again] = given
    return form, shift, get_bytewise(firsts, count)


def _nibbles(codes: UInt8) -> bytes:
    padded = np.append(codes, np.zeros(len(codes) & 1, np.uint8))
    packed: UInt8 = padded[0::2] | (padded[1::2] << np.uint8(4))
    return packed.tobytes()


def _from_nibbles(data: bytes, count: int) -> UInt8:
    if len(data) != (count + 1) // 2:
        raise MalformedError(f"{len(data)} bytes are not {count} forms")
    packed = np.frombuffer(data, np.uint8)
    return np.stack((packed & np.uint8(15), packed >> np.uint8(4)), axis=1).reshape(-1)[:count]


def _whole(
    value: Float64, groups: Groups, before: UInt8, *, reconsider: bool
) -> tuple[Int64, UInt8]:
    """Return the whole numbers of values, and the form of each point: the old one if it can."""
    whole, exact = to_whole(value, groups.spread(before))
    wrong = np.zeros(len(before), np.bool_)
    if not exact.all():
        wrong = groups.total((~exact).astype(np.int64)) > 0
    digits = DIGITS[before]
    asked = wrong
    if reconsider:
        # Now or never: a form that one odd value asked for is given up again.
        fine = digits > _SIMPLE_DIGITS
        asked, digits = wrong | fine, np.where(fine, 0, digits)
    form = before.copy()
    if asked.any():
        of_asked = groups.spread(asked)
        counts = groups.counts[asked]
        chosen = choose_form(value[of_asked], np.cumsum(counts) - counts, digits[asked])
        simpler = DIGITS[chosen] < DIGITS[before[asked]]
        form[asked] = np.where(wrong[asked] | simpler, chosen, before[asked])
        whole[of_asked], _ = to_whole(value[of_asked], groups.spread(form)[of_asked])
    return whole, form


def _foresee(
    memory: PointMemory, at: Index, groups: Groups, whole: Int64, begun: Mask
) -> tuple[UInt64, UInt8]:
    """Return what was not foreseen of whole numbers, and the shift of each point; then learn them.

    A point that has begun is taken to have stood at 0; its first code is thus the number itself.
    """
    steps = whole.copy()
    steps[1:] -= whole[:-1]
    last = np.where(begun, 0, memory.last[at])
    steps[groups.starts] = whole[groups.starts] - last
    memory.last[at] = whole[groups.starts + groups.counts - 1]
    if begun.all():  # a key block: nothing is expected, and what is learnt begins anew
        return zigzag(steps), np.full(len(at), SHIFT_FIRST, np.uint8)
    shift, drift, estimate = memory.expect(at)
    if begun.any():
        shift[begun], drift[begun], estimate[begun] = SHIFT_FIRST, 0, 0
    memory.learn(at, groups, steps, estimate)
    return zigzag(steps - groups.spread(drift)), shift


def _shifts(codes: UInt64, rest: Mask, groups: Groups, again: Mask) -> UInt8:
    """Return the shifts of points that begin with several samples, from those behind the first."""
    capped = np.minimum(np.where(rest, codes, 0), np.uint64(CAP)).view(np.int64)
    means = groups.total(capped)[again] // (groups.counts[again] - 1)
    return np.maximum(bit_lengths(means.view(np.uint64)), 1) - np.uint8(1)
