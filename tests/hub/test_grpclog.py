"""gRPC's own words: picked up from standard error of a real process, bounded, and nothing lost."""

import json
import subprocess
import sys

import pytest

from citytwin_hub.grpclog import LINES_MAX, heard

SCRIPT = """
import os, sys
from citytwin.clock import SystemClock
from citytwin.logs import configure
from citytwin_hub import grpclog
configure("json")
with grpclog.told(SystemClock()):
    {body}
sys.stderr.write("after\\n")
"""


def said(body):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert lines[-1] == "after", "standard error is as it was"
    return lines[:-1]


def test_a_refused_certificate_is_a_line_of_our_log():
    line = (
        "I1125 20:17:48.593060   13707 ssl_transport_security.cc:2563] Handshake failed with error "
        "SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: "
        "unable to get local issuer certificate\\n"
    )
    (told,) = said(f"os.write(2, {line.encode().decode('unicode_escape').encode()!r})")
    shown = json.loads(told)
    assert shown["event"] == "link.handshake_failed"
    assert shown["reason"].endswith("refused: unable to get local issuer certificate")
    assert (shown["level"], shown["where"]) == ("warning", "ssl_transport_security.cc:2563")


def test_what_is_not_grpcs_goes_on_as_it_is():
    lines = said('os.write(2, b"Fatal Python error: x\\n"); sys.stderr.write("from python\\n")')
    assert sorted(lines) == ["Fatal Python error: x", "from python"]


def test_chatter_is_left_out_and_a_flood_ends():
    body = (
        'os.write(2, b"I1125 20:17:48.5   1 x.cc:1] chatter\\n");'
        "[os.write(2, b'E1125 20:17:48.5   1 x.cc:1] broken %d\\n' % n) for n in range(100)]"
    )
    lines = [json.loads(line) for line in said(body)]
    assert [line["reason"] for line in lines] == [f"broken {n}" for n in range(LINES_MAX)]
    assert {line["event"] for line in lines} == {"grpc.said"}


@pytest.mark.parametrize(
    ("level", "words", "event"),
    [
        ("I", "Handshake failed: OPENSSL_internal:HTTP_REQUEST", "link.handshake_failed"),
        ("W", "Log level INFO is not suitable for production.", ""),
        ("I", "anything", ""),
        ("W", "anything", "grpc.said"),
    ],
)  # fmt: skip
def test_which_lines_are_told(level, words, event):
    assert heard(level, words)[0] == event
