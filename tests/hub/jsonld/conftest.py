"""What tests of @contexts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.jsonld.hosts import Host, host


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach loopback without the proxy that the machine may have."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def served() -> Iterator[Host]:
    with host() as running:
        yield running
