"""What every test has: a log as it is when a process starts, whatever ran before it."""

import logging
import os
import signal

import pytest
import structlog

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and every program of a test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _fresh_log():
    """Take back what a command that ran in this process has made of the log."""
    handlers = list(logging.getLogger().handlers)
    grpc = {name: value for name, value in os.environ.items() if name.startswith("GRPC_")}
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers
    for name in [name for name in os.environ if name.startswith("GRPC_") and name not in grpc]:
        del os.environ[name]  # a program that a later test starts would inherit it
