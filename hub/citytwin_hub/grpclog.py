"""What gRPC says by itself, as lines of our log: above all, why it let a client not in.

A certificate that TLS refuses never reaches our code. gRPC's core writes the reason to the standard
error of the process and to nowhere else, so that is where it is picked up.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

import structlog

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock

LINES_MAX: Final = 20
LINES_NS: Final = 60 * SECOND_NS
"""So many lines in so long are told: somebody at the door must not fill the log."""
LINE_CHARS_MAX: Final = 2000
STOP_S_MAX: Final = 2.0
_LINE: Final = re.compile(r"(?P<level>[IWEF])\d{4} \S+ +\d+ (?P<where>\S+)\] (?P<words>.*)")
_HANDSHAKE: Final = "Handshake failed"

_log = structlog.get_logger(__name__)


@contextlib.contextmanager
def told(clock: Clock) -> Iterator[None]:
    """Tell what gRPC says until the end of the block; to be entered before gRPC is imported.

    Whatever else comes to standard error goes on to it as it is.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "INFO")
    python, stderr = sys.stderr, os.dup(2)
    reading, writing = os.pipe()
    reader = threading.Thread(target=_read, args=(reading, stderr, clock), daemon=True)
    with os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8") as sys.stderr:
        os.dup2(writing, 2)
        os.close(writing)
        reader.start()
        try:
            yield
        finally:
            # The last copy of the pipe's writing end goes with this, and the reader with it.
            os.dup2(stderr, 2)
            reader.join(STOP_S_MAX)
            sys.stderr = python
            os.close(stderr)


def _read(reading: int, stderr: int, clock: Clock) -> None:
    said: deque[int] = deque(maxlen=LINES_MAX)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as file:
        while line := file.readline(LINE_CHARS_MAX):
            found = _LINE.match(line)
            if found is None:
                os.write(stderr, line.encode())
                continue
            event, reason = heard(found["level"], found["words"])
            now_ns = clock.monotonic_ns()
            if not event or (len(said) == LINES_MAX and now_ns - said[0] < LINES_NS):
                continue
            said.append(now_ns)
            _log.warning(event, reason=reason, where=found["where"])


def heard(level: str, words: str) -> tuple[str, str]:
    """Return the event and the reason of one of gRPC's lines; no event for mere chatter.

    >>> heard(
    ...     "I",
    ...     "Handshake failed with error SSL_ERROR_SSL: error:1000007d:SSL routines:"
    ...     "OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: certificate has expired",
    ... )
    ('link.handshake_failed', "a client's certificate is refused: certificate has expired")
    >>> heard("I", "all is well")
    ('', '')
    """
    if _HANDSHAKE in words:
        reason = words.rpartition("OPENSSL_internal:")[2]
        kind, _, detail = reason.partition(": ")
        if kind == "CERTIFICATE_VERIFY_FAILED":
            return "link.handshake_failed", f"a client's certificate is refused: {detail}"
        return "link.handshake_failed", f"a client does not speak the link's TLS: {reason}"
    chatter = level == "I" or words.startswith("Log level")
    return ("", "") if chatter else ("grpc.said", words)
