"""What the hub can tell of a configuration without knowing adapters."""

import pytest

from citytwin_hub import config_texts
from citytwin_hub.config_texts import checked, digest_of, unified
from citytwin_protos.config_order import CONFIG_BYTES_MAX

GOOD = b'[gateway]\nname = "g"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD, ""),
        (b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"), ""),
        (b'[gateway]\nname = "h"\n', "is 'h', not 'g'"),
        (b"gateway = 3\n", "is None, not 'g'"),
        (b"[gateway\n", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"\xff", "is not UTF-8"),
        (b" " * (CONFIG_BYTES_MAX + 1), "has at most"),
    ],
)
def test_what_is_checked(text, words):
    found = checked("g", text)
    assert words in found
    assert bool(found) == bool(words)


def test_the_difference(monkeypatch):
    other = GOOD + b"a = 1"
    assert unified("one", GOOD, "two", GOOD) == ""
    assert unified("one", GOOD, "two", other).splitlines()[-1] == "+a = 1"
    assert digest_of(GOOD) != digest_of(other)
    monkeypatch.setattr(config_texts, "DIFF_LINES_MAX", 2)
    assert "too long to show" in unified("one", GOOD, "two", other)
