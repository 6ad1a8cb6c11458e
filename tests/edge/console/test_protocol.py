"""The console's protocol: whole lines of any pieces, versions, and errors in words."""

import pytest

from citytwin.errors import WireError
from citytwin_edge.console import protocol
from citytwin_edge.console.protocol import Answer, ConsoleError, Greeting, Lines, Request


def test_lines_are_whole_however_they_come():
    said = protocol.encoded(Request("watch", {"devices": ["d"]})) * 3
    for step in (1, 7, len(said)):
        lines = Lines(1000)
        found = [
            line for start in range(0, len(said), step)
            for line in lines.feed(said[start : start + step])
        ]  # fmt: skip
        assert [protocol.request(line) for line in found] == [
            Request("watch", {"devices": ["d"]})
        ] * 3


def test_a_line_has_a_limit_whether_it_ends_or_not():
    for data in (b"x" * 11, b"x" * 11 + b"\n", b"ok\n" + b"x" * 11):
        with pytest.raises(WireError, match="over 10 bytes"):
            Lines(10).feed(data)
    assert Lines(10).feed(b"x" * 10 + b"\n" + b"y" * 10) == [b"x" * 10]


def test_greetings_of_other_versions_say_what_to_do():
    assert protocol.greeting(protocol.encoded(Greeting(1, "citytwin-edge 0.1.0"))).console == 1
    with pytest.raises(ConsoleError, match=r"edge 9\.9\.\) speaks version 2 .* this command vers"):
        protocol.greeting(protocol.encoded(Greeting(2, "citytwin-edge 9.9.")))
    with pytest.raises(ConsoleError, match="no agent's console"):
        protocol.greeting(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("line", [b"{}", b"[]", b"\xff", b'{"do": 1}', b'{"do": "x", "for": "y"}'])
def test_what_is_no_request_is_refused_in_words(line):
    with pytest.raises(ConsoleError, match="cannot be understood"):
        protocol.request(line)


def test_answers():
    assert protocol.answer(protocol.encoded(Answer(item=[1, None]))).item == [1, None]
    assert protocol.answer(protocol.encoded(Answer(done=True))).done
    assert protocol.encoded(Answer(item={"value": float("nan")})) == b'{"item":{"value":null}}\n'
    with pytest.raises(ConsoleError):
        protocol.answer(b"what?")
