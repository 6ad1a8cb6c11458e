"""Mutations are many, are never the frame itself, and are the same for the same seed."""

from citytwin.testing import Mutator

FRAME = b"level=2.431;temp=18.5\n"


def many(seed, frame=FRAME):
    mutator = Mutator(seed)
    return [mutator.mutate(frame) for _ in range(2000)]


def test_a_frame_is_never_itself():
    assert FRAME not in many(1)
    assert b"\0" * 8 not in many(1, b"\0" * 8)


def test_there_are_all_kinds():
    made = many(1)
    assert len(set(many(1, FRAME * 20))) > 1500, "a long frame can change in many ways"
    assert {len(one) < len(FRAME) for one in made} == {True, False}
    assert any(len(one) > len(FRAME) for one in made)
    assert b"" in made
    assert b"\xff" * len(FRAME) in made


def test_one_seed_is_one_series():
    assert many(1) == many(1)
    assert many(1) != many(2)


def test_nothing_becomes_a_byte():
    assert len(Mutator(1).mutate(b"")) == 1
