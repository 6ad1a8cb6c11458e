"""What waits in an outbox, as the agent's own outbox has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from citytwin_edge.outbox import EntryKind, Outbox
from installer.errors import InstallError
from installer.waiting import Waiting, waiting


def test_it_is_counted_while_the_agent_writes(tmp_path: Path) -> None:
    path = tmp_path / "out box#1?.db"
    assert waiting(path) == Waiting(0, 0)
    outbox = Outbox(path, size_bytes_max=1 << 20)
    assert waiting(path) == Waiting(0, 0)
    outbox.append(EntryKind.TELEMETRY, b"x", 12)
    last = outbox.append(EntryKind.ALARM, b"x", 1)
    assert waiting(path) == Waiting(2, 13)
    assert waiting(path).words == "13 samples in 2 entries"
    outbox.acknowledge(last)
    assert waiting(path) == Waiting(0, 0)
    outbox.close()


def test_one_that_cannot_be_read_is_not_taken_for_empty(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(InstallError, match=r"nobody knows what waits in .*--yes removes it unread"):
        waiting(path)
