"""Blocks: which registers to ask for together, in the fewest requests, and what to do when refused.

A device that answers "illegal address" to a block has a hole in it. The block is cut in two and
both halves are read; what the device refuses in the end is remembered, so that the next plan goes
around it. A time-out teaches nothing: a silent device is not a device with holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from citytwin_edge.wire.fields import Field, Table


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may span.

    Attributes:
        gap_registers_max: registers nobody wants that may be read along to save a request.
        block_registers_max: registers in one request (125 by the standard, 6.3).
        gap_bits_max: the same for coils and discrete inputs.
        block_bits_max: bits in one request (2,000 by the standard, 6.1).
    """

    gap_registers_max: int = 16
    block_registers_max: int = 125
    gap_bits_max: int = 256
    block_bits_max: int = 2000

    def of(self, table: Table) -> tuple[int, int]:
        """Return (gap, block) of a table, in its addresses."""
        if table.of_bits:
            return self.gap_bits_max, self.block_bits_max
        return self.gap_registers_max, self.block_registers_max


@dataclass(frozen=True, slots=True)
class Block:
    """One request: ``count`` addresses from ``start``, and the fields (by index) inside it."""

    table: Table
    start: int
    count: int
    fields: tuple[int, ...]

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.start + self.count

    @property
    def size_bytes(self) -> int:
        """Bytes of data in the answer."""
        return (self.count + 7) // 8 if self.table.of_bits else 2 * self.count

    def place(self, item: Field) -> int:
        """Return where a field of the block begins in its data, in bits."""
        return (item.address - self.start) * (1 if self.table.of_bits else 16)

    def position(self, part: Block) -> int:
        """Return where the data of a part begins in the data of the whole, in bits."""
        return (part.start - self.start) * (1 if self.table.of_bits else 16)


@dataclass(slots=True)
class Holes:
    """What a device has refused, for as long as the process lives.

    Attributes:
        addresses: that cannot be read; no block covers one.
        cuts: addresses where a new block must begin although nothing is missing there (a device
            that takes shorter requests than it should).
    """

    addresses: set[tuple[Table, int]] = field(default_factory=set)
    cuts: set[tuple[Table, int]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.addresses or self.cuts)

    def add(self, other: Holes) -> None:
        """Take over what another one holds."""
        self.addresses |= other.addresses
        self.cuts |= other.cuts

    def inside(self, table: Table, start: int, stop: int) -> bool:
        """Whether one of the addresses from ``start`` up to ``stop`` cannot be read."""
        return any((table, address) in self.addresses for address in range(start, stop))

    def learn_missing(self, block: Block) -> None:
        """Remember that a block of a single field was refused."""
        self.addresses |= {(block.table, address) for address in range(block.start, block.end)}

    def learn_between(self, left: Block, right: Block) -> None:
        """Remember that two blocks can be read, each alone, but not as one."""
        gap = range(left.end, right.start)
        if gap:
            self.addresses |= {(left.table, address) for address in gap}
        else:
            self.cuts.add((right.table, right.start))


def plan(fields: Sequence[Field], limits: Limits, holes: Holes | None = None) -> list[Block]:
    """Merge fields into the fewest requests; a number is never split.

    Args:
        fields: what is wanted; the blocks name them by index. A field that covers a known hole is
            in no block.
        limits: what one request may span; a single field wider than that is asked for whole.
        holes: what the device refused before.
    """
    known = holes if holes is not None else Holes()
    wanted = sorted(
        (item.table, item.address, item.end, index)
        for index, item in enumerate(fields)
        if not known.inside(item.table, item.address, item.end)
    )
    blocks: list[Block] = []
    members: list[int] = []
    for position, (table, start, end, index) in enumerate(wanted):
        if position and _fits(table, start, end, block := blocks[-1], limits, known):
            members.append(index)
            blocks[-1] = _block(table, block.start, max(block.end, end), members)
        else:
            members = [index]
            blocks.append(_block(table, start, end, members))
    return blocks


def _fits(table: Table, start: int, end: int, block: Block, limits: Limits, holes: Holes) -> bool:
    """Whether a field, the next by address, may join a block."""
    gap_max, block_max = limits.of(table)
    if table is not block.table or start - block.end > gap_max:
        return False
    if end > block.end and end - block.start > block_max:
        return False
    if (table, start) in holes.cuts and start > block.start:
        return False
    return not holes.inside(table, block.end, start)


def _block(table: Table, start: int, end: int, members: Sequence[int]) -> Block:
    return Block(table, start, end - start, tuple(members))


def halves(block: Block, fields: Sequence[Field]) -> tuple[Block, Block] | None:
    """Cut a refused block in two: at its widest gap, the nearest to the middle among equals.

    Returns None when there is nothing to cut: all its fields take the same addresses.
    """
    spans = sorted({(fields[index].address, fields[index].end) for index in block.fields})
    if len(spans) == 1:
        return None
    ends = [max(end for _, end in spans[:cut]) for cut in range(1, len(spans))]
    cut = max(
        range(1, len(spans)),
        key=lambda cut: (max(spans[cut][0] - ends[cut - 1], 0), -abs(2 * cut - len(spans))),
    )
    left, right = set(spans[:cut]), set(spans[cut:])
    return _part(block, fields, left), _part(block, fields, right)


def _part(block: Block, fields: Sequence[Field], spans: set[tuple[int, int]]) -> Block:
    members = [i for i in block.fields if (fields[i].address, fields[i].end) in spans]
    start = min(start for start, _ in spans)
    return _block(block.table, start, max(end for _, end in spans), members)
