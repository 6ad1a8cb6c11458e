"""The journal beside a model of it: whatever is appended, trimmed, refused, torn and reopened."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from citytwin.errors import StoreError
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal, _framed

STREAMS = [letter * 16 for letter in (b"a", b"b", b"c")]
SEGMENT_BYTES_MAX = 700

records = st.lists(
    st.tuples(st.sampled_from(STREAMS), st.integers(0, 120), st.integers(1, 3)),
    min_size=1,
    max_size=5,
)


class JournalMachine(RuleBasedStateMachine):
    """The model is a list of (position behind it, record), the heads, and what was trimmed."""

    @initialize()
    def begin(self):
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)
        self.model: list[tuple[int, Record]] = []
        self.heads: dict[bytes, int] = {}
        self.trimmed = 0
        self.doubtful: tuple[list[Record], dict[bytes, int]] | None = None
        self.journal = SegmentJournal(self.folder, segment_bytes_max=SEGMENT_BYTES_MAX)

    def made(self, wanted):
        heads, made = dict(self.heads), []
        for stream, size, step in wanted:
            heads[stream] = heads.get(stream, 0) + step
            made.append(
                Record(RecordKind.TELEMETRY, stream, heads[stream], 7, "g", bytes([step]) * size)
            )
        return made, heads

    @rule(wanted=records)
    def append(self, wanted):
        made, heads = self.made(wanted)
        self.doubtful = None
        before = self.journal.end
        end = self.journal.append(made)
        assert end == self.journal.end > before
        found = list(self.journal.read(before))
        assert [record for _, record in found] == made
        assert found[-1][0] == end
        self.model += found
        self.heads = heads

    @rule(wanted=records, at=st.sampled_from(["write", "fdatasync", "ftruncate"]))
    def disk_refuses(self, wanted, at):
        """A write stops half way, or the disk refuses to make it durable, or even to cut it off."""
        made, heads = self.made(wanted)
        real = os.write

        def half(file, data):
            real(file, data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        def refuse(*_):
            raise OSError(5, "Input/output error")

        before = self.journal.end
        name, instead = ("write", half) if at == "write" else ("fdatasync", refuse)
        with mock.patch.object(os, name, instead):
            with pytest.raises(StoreError, match="cannot be written"):
                self.journal.append(made)
            if at == "ftruncate":
                with mock.patch.object(os, "ftruncate", refuse), pytest.raises(StoreError):
                    self.journal.append(made)
                self.doubtful = made, heads
        assert self.journal.end >= before

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def trim(self, data):
        through = data.draw(st.sampled_from([position for position, _ in self.model]))
        self.journal.trim(through)
        self.trimmed = max(self.trimmed, through)
        starts = sorted(int(path.stem) for path in self.folder.glob("*.journal"))
        assert all(start > through for start in starts[1:])

    @rule(ahead=st.integers(-5, 2000))
    def skip(self, ahead):
        self.doubtful = None if ahead > 0 else self.doubtful
        before = self.journal.end
        self.journal.skip(before + ahead)
        assert self.journal.end >= before + max(ahead, 0)

    @rule(part=st.integers(0, 90), zeros=st.integers(0, 5000))
    def crash(self, part, zeros):
        """What a power cut may leave behind the last whole record: a part of one, or zeros."""
        before = self.journal.end
        self.journal.close()
        made, _ = self.made([(STREAMS[0], 60, 1)])
        with max(self.folder.glob("*.journal")).open("ab") as file:
            file.write(_framed(made[0])[:part] if part else bytes(zeros))
        self.journal = SegmentJournal(self.folder, segment_bytes_max=SEGMENT_BYTES_MAX)
        if self.doubtful is not None and self.journal.end > before:
            # Neither written durably nor cut off: it was not acknowledged, and may be there.
            found = list(self.journal.read(before))
            assert [record for _, record in found] == self.doubtful[0]
            self.model += found
            self.heads = self.doubtful[1]
        self.doubtful = None

    @invariant()
    def everything_is_there_once_and_in_order(self):
        found = list(self.journal.read(0))
        assert found == self.model[len(self.model) - len(found) :]
        kept = [position for position, _ in self.model if position > self.trimmed]
        assert [position for position, _ in found if position > self.trimmed] == kept
        for stream in STREAMS:
            assert self.journal.durable_through(stream) == self.heads.get(stream, 0)

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()
            self.place.cleanup()


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
