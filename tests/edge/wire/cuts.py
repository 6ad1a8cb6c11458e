"""Cuts: one stream split in every way must give the same messages."""

from hypothesis import strategies as st


def fed(cutter, stream, places=()):
    """Feed a stream in the pieces that end at these places; return messages and skipped bytes."""
    messages = []
    ends = sorted({min(place, len(stream)) for place in places} | {len(stream)})
    begin = 0
    for end in ends:
        messages += cutter.feed(stream[begin:end])
        begin = end
    return messages, cutter.skipped


def good(messages):
    return [message.data for message in messages if not message.broken]


PLACES = st.lists(st.integers(0, 400), max_size=40)
EVERYWHERE = range(2000)
