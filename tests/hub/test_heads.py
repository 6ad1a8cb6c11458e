"""Heads: numbers only grow, and streams without end are not kept without end."""

from structlog.testing import capture_logs

from citytwin_hub import heads as module
from citytwin_hub.heads import Heads

A, B, C = (bytes([n]) * 16 for n in range(3))


def test_numbers_only_grow():
    heads = Heads()
    assert heads[A] == 0
    assert [heads.grow(A, number) for number in (3, 3, 2, 4)] == [True, False, False, True]
    assert (heads[A], heads[B]) == (4, 0)


def test_what_was_saved_is_taken_up():
    heads = Heads()
    heads.grow(A, 7)
    heads.grow(B, 1)
    again = Heads(heads.saved())
    assert again.saved() == heads.saved() == {A.hex(): 7, B.hex(): 1}
    assert not again.grow(A, 7)


def test_the_stream_that_was_still_longest_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(module, "STREAMS_MAX", 2)
    heads = Heads()
    heads.grow(A, 1)
    heads.grow(B, 1)
    heads = Heads(heads.saved())
    heads.grow(A, 2)
    with capture_logs() as said:
        heads.grow(C, 1)
    assert heads.saved() == {A.hex(): 2, C.hex(): 1}
    assert [(line["event"], line["stream"]) for line in said] == [("heads.forgotten", B.hex())]
