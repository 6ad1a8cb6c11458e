"""Blocks: few requests within limits, numbers whole, known holes left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.blocks import Block, Holes, Limits, halves, plan
from citytwin_edge.wire.fields import Field, Table

HOLDING, INPUT, COIL = Table.HOLDING, Table.INPUT, Table.COIL


def spans(blocks: list[Block]) -> list[tuple[str, int, int]]:
    return [(block.table.value, block.start, block.count) for block in blocks]


def test_neighbours_are_one_request() -> None:
    fields = [Field(HOLDING, address) for address in range(100)]
    assert spans(plan(fields, Limits())) == [("holding", 0, 100)]


def test_tables_are_asked_apart() -> None:
    fields = [Field(HOLDING, 1), Field(INPUT, 2), Field(COIL, 3, "bool"), Field(HOLDING, 3)]
    assert spans(plan(fields, Limits())) == [("coil", 3, 1), ("holding", 1, 3), ("input", 2, 1)]


def test_gaps_up_to_the_limit_are_read_along() -> None:
    fields = [Field(HOLDING, 0), Field(HOLDING, 11), Field(HOLDING, 23)]
    limits = Limits(gap_registers_max=10)
    assert spans(plan(fields, limits)) == [("holding", 0, 12), ("holding", 23, 1)]
    assert len(plan(fields, Limits(gap_registers_max=0))) == 3


def test_a_number_is_never_split() -> None:
    fields = [Field(HOLDING, address, "float32") for address in range(0, 130, 2)]
    assert spans(plan(fields, Limits())) == [("holding", 0, 124), ("holding", 124, 6)]


def test_a_string_wider_than_the_limit_is_asked_whole() -> None:
    fields = [Field(HOLDING, 0), Field(HOLDING, 1, "string", length=40)]
    assert spans(plan(fields, Limits(block_registers_max=30))) == [
        ("holding", 0, 1),
        ("holding", 1, 40),
    ]


def test_bits_of_one_register_are_read_once() -> None:
    fields = [Field(HOLDING, 5, "bool", bits=(bit, bit)) for bit in range(16)]
    (block,) = plan(fields, Limits())
    assert (block.start, block.count, len(block.fields)) == (5, 1, 16)


def test_places() -> None:
    block = Block(HOLDING, 10, 8, (0,))
    assert block.place(Field(HOLDING, 12)) == 32
    assert block.size_bytes == 16
    assert block.position(Block(HOLDING, 14, 2, (0,))) == 64
    coils = Block(COIL, 10, 9, (0,))
    assert coils.place(Field(COIL, 18, "bool")) == 8
    assert coils.size_bytes == 2
    assert coils.position(Block(COIL, 13, 2, (0,))) == 3


numbers = st.builds(
    Field,
    st.sampled_from([HOLDING, INPUT]),
    st.integers(0, 600),
    st.sampled_from(["uint16", "float32", "float64"]),
)


@given(
    st.lists(numbers, max_size=60),
    st.integers(0, 30),
    st.integers(4, 125),
    st.sets(st.integers(0, 600), max_size=10),
)
def test_every_plan_keeps_its_promises(
    fields: list[Field], gap: int, longest: int, missing: set[int]
) -> None:
    holes = Holes(addresses={(HOLDING, address) for address in missing})
    limits = Limits(gap_registers_max=gap, block_registers_max=longest)
    blocks = plan(fields, limits, holes)
    asked = sorted(index for block in blocks for index in block.fields)
    readable = [
        index
        for index, item in enumerate(fields)
        if item.table is INPUT or not missing & set(range(item.address, item.end))
    ]
    assert asked == readable
    for block in blocks:
        inside = [fields[index] for index in block.fields]
        assert block.count <= longest
        assert all(block.start <= item.address and item.end <= block.end for item in inside)
        assert all(item.table is block.table for item in inside)
        assert not holes.inside(block.table, block.start, block.end)
        assert block.start == min(item.address for item in inside)
        assert block.end == max(item.end for item in inside)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40), st.integers(1, 60))
def test_no_plan_has_fewer_requests(addresses: list[int], longest: int) -> None:
    fields = [Field(HOLDING, address) for address in addresses]
    limits = Limits(gap_registers_max=1000, block_registers_max=longest)
    fewest, covered = 0, -1
    for address in sorted(addresses):  # the textbook cover of points by windows of equal length
        if address > covered:
            fewest, covered = fewest + 1, address + longest - 1
    assert len(plan(fields, limits)) == fewest


def test_a_cut_begins_a_new_block() -> None:
    fields = [Field(HOLDING, address) for address in range(10)]
    assert spans(plan(fields, Limits(), Holes(cuts={(HOLDING, 6)}))) == [
        ("holding", 0, 6),
        ("holding", 6, 4),
    ]


def test_a_block_is_cut_at_its_widest_gap() -> None:
    fields = [Field(HOLDING, address) for address in (0, 1, 4, 10, 11)]
    cut = halves(plan(fields, Limits())[0], fields)
    assert cut is not None
    assert [(part.start, part.count, part.fields) for part in cut] == [
        (0, 5, (0, 1, 2)),
        (10, 2, (3, 4)),
    ]


def test_a_block_without_gaps_is_cut_in_the_middle() -> None:
    fields = [Field(HOLDING, address, "float32") for address in range(0, 20, 2)]
    cut = halves(plan(fields, Limits())[0], fields)
    assert cut is not None
    assert [(part.start, part.count) for part in cut] == [(0, 10), (10, 10)]


def test_a_single_number_is_not_cut() -> None:
    fields = [Field(HOLDING, 3, "float64"), Field(HOLDING, 3, "int64")]
    assert halves(plan(fields, Limits())[0], fields) is None


@given(st.lists(numbers, min_size=2, max_size=30))
def test_halves_hold_every_field_once_and_become_smaller(fields: list[Field]) -> None:
    for block in plan(fields, Limits()):
        cut = halves(block, fields)
        if cut is None:
            assert len({(fields[i].address, fields[i].end) for i in block.fields}) == 1
            continue
        assert sorted(cut[0].fields + cut[1].fields) == sorted(block.fields)
        assert all(part.fields for part in cut)


def test_what_is_learnt() -> None:
    holes = Holes()
    assert not holes
    holes.learn_missing(Block(HOLDING, 7, 2, (0,)))
    holes.learn_between(Block(HOLDING, 0, 2, (0,)), Block(HOLDING, 4, 1, (1,)))
    holes.learn_between(Block(INPUT, 0, 2, (0,)), Block(INPUT, 2, 1, (1,)))
    assert holes.addresses == {(HOLDING, 7), (HOLDING, 8), (HOLDING, 2), (HOLDING, 3)}
    assert holes.cuts == {(INPUT, 2)}
    other = Holes()
    other.add(holes)
    assert other == holes
    assert other.inside(HOLDING, 8, 9)
    assert not other.inside(HOLDING, 9, 20)
