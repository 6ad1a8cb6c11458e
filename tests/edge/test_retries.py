"""Pauses between attempts: from half a second to half a minute; the same trouble is told once."""

from random import Random

import pytest
from structlog.testing import capture_logs

from citytwin_edge.retries import PAUSE_S_MAX, PAUSE_S_MIN, REFUSED_S_MAX, Retries


def pauses(retries, count):
    return [retries.pause_s() for _ in range(count)]


def test_pauses_grow_to_their_limit_with_jitter():
    seen = pauses(Retries(Random(1)), 50)
    assert PAUSE_S_MIN <= seen[0] <= 1.0
    assert all(PAUSE_S_MIN <= pause <= PAUSE_S_MAX for pause in seen)
    assert min(seen[6:]) >= PAUSE_S_MAX / 2
    assert len(set(seen)) == 50
    assert seen == pauses(Retries(Random(1)), 50)
    assert seen != pauses(Retries(Random(2)), 50)


def test_success_begins_anew():
    retries = Retries(Random(1))
    pauses(retries, 10)
    retries.succeeded()
    assert retries.pause_s() <= 1.0


def test_a_refusal_is_retried_slowly():
    retries = Retries(Random(1))
    retries.refused("revoked", "by the operator")
    assert all(REFUSED_S_MAX / 2 <= pause <= REFUSED_S_MAX for pause in pauses(retries, 20))


def test_the_same_trouble_is_told_once():
    retries = Retries(Random(1))
    with capture_logs() as logs:
        for _ in range(5):
            retries.failed("uplink.unreachable", "nothing listens")
        for _ in range(5):
            retries.refused("revoked", "by the operator")
        retries.failed("uplink.unreachable", "nothing listens")
        retries.succeeded()
        retries.succeeded()
        retries.failed("uplink.unreachable", "nothing listens")
    told = [(log["event"], log["log_level"]) for log in logs]
    assert told == [
        ("uplink.unreachable", "warning"),
        ("uplink.refused", "error"),
        ("uplink.unreachable", "warning"),
        ("uplink.delivers", "info"),
        ("uplink.unreachable", "warning"),
    ]
    assert logs[3]["after_failures"] == 11


@pytest.mark.parametrize("detail", ["a", "b"])
def test_a_refusal_says_why(detail):
    with capture_logs() as logs:
        Retries(Random(1)).refused("duplicate", detail)
    assert (logs[0]["reason"], logs[0]["detail"]) == ("duplicate", detail)


def test_what_is_wrong_now_is_known_until_it_is_not():
    retries = Retries(Random(1))
    assert retries.trouble == ""
    retries.failed("uplink.lost", "")
    assert retries.trouble == "uplink.lost"
    retries.refused("revoked", "by the operator")
    assert retries.trouble == "by the operator"
    retries.succeeded()
    assert retries.trouble == ""
