"""What every test has: a log as it is when a process starts, whatever ran before it."""

import logging

import pytest
import structlog


@pytest.fixture(autouse=True)
def _fresh_log():
    """Take back what a command that ran in this process has made of the log."""
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers
