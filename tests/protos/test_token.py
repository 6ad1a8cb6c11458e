"""Tokens: a technician's copy comes back whole, or is refused with what is wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import EnrolmentError
from citytwin_protos.token import FINGERPRINT_BYTES, PREFIX, SECRET_BYTES, make_token, read_token

SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
FINGERPRINTS = st.binary(min_size=FINGERPRINT_BYTES, max_size=FINGERPRINT_BYTES)


@given(SECRETS, FINGERPRINTS)
def test_a_token_comes_back(secret, fingerprint):
    text = make_token(secret, fingerprint)
    assert read_token(text) == (secret, fingerprint)
    assert read_token(f"  {text.upper()}\n") == (secret, fingerprint)


WHOLE = make_token(bytes(SECRET_BYTES), bytes(FINGERPRINT_BYTES))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with"),
        (WHOLE.removeprefix(PREFIX), "begins with"),
        (PREFIX, "part of it is missing"),
        (WHOLE[:-8], "part of it is missing"),
        (WHOLE + "aaaaaaaa", "part of it is missing"),
        (WHOLE[:-1] + "1", "wrong character"),
        (WHOLE[:-1] + "ә", "wrong character"),
    ],
)
def test_what_is_no_token(text, words):
    with pytest.raises(EnrolmentError, match=words):
        read_token(text)
