"""The audit log: whatever is changed in it is found, and a crash is no tampering."""

import os
import shutil

import pytest

from citytwin.errors import StoreError
from citytwin_hub.audit import HEAD, START, Audit, AuditError, Deed, entries, opened, verify

SEGMENT_BYTES = 600


@pytest.fixture
def folder(tmp_path):
    audit = Audit(tmp_path / "audit", segment_bytes_max=SEGMENT_BYTES)
    for number in range(8):
        audit.append(Deed("dana", "write", f"urn:ngsi-ld:Pump:{number}", "насос"), number)
    audit.close()
    return tmp_path / "audit"


def segments(folder):
    return sorted(folder.glob("*.log"))


def found(folder):
    with pytest.raises(AuditError) as caught:
        verify(folder)
    return str(caught.value)


def test_a_whole_log_is_whole_and_goes_on_after_a_restart(folder):
    assert len(segments(folder)) > 2
    assert verify(folder).number == 8
    audit = Audit(folder, segment_bytes_max=SEGMENT_BYTES)
    audit.append(Deed("dana", "read", "urn:ngsi-ld:Person:1"), 9)
    audit.close()
    told = list(entries(folder, after=7))
    assert [one.number for one in told] == [8, 9]
    assert told[0].deed == Deed("dana", "write", "urn:ngsi-ld:Pump:7", "насос")
    assert verify(folder) == (9, told[1].hash, 0)


def test_every_changed_byte_is_found(folder):
    for path in [*segments(folder), folder / HEAD]:
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            found(folder)
        path.write_bytes(whole)
    assert verify(folder).number == 8


def test_every_cut_and_removed_byte_is_found(folder):
    for path in segments(folder):
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at])
            found(folder)
            path.write_bytes(whole[:at] + whole[at + 1 :])
            found(folder)
        path.write_bytes(whole)


def test_removed_moved_and_repeated_records_are_found(folder):
    for path in segments(folder):
        lines = path.read_bytes().splitlines(keepends=True)
        for at in range(len(lines)):
            path.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
            found(folder)
            path.write_bytes(b"".join([*lines[: at + 1], *lines[at:]]))
            found(folder)
        path.write_bytes(b"".join(lines[::-1]))
        if len(lines) > 1:
            found(folder)
        path.write_bytes(b"".join(lines))
        path.rename(folder / "away")
        found(folder)
        (folder / "away").rename(path)


def test_a_torn_last_record_is_no_tampering_and_is_cut_off(folder, tmp_path):
    before = tmp_path / "before"
    shutil.copytree(folder, before)
    audit = Audit(folder)
    audit.append(Deed("dana", "write", "x"), 9)
    audit.close()
    last = segments(folder)[-1].name
    whole, old = (folder / last).read_bytes(), (before / last).read_bytes()
    for size in range(len(old) + 1, len(whole)):
        (before / last).write_bytes(whole[:size])
        assert verify(before)[::2] == (8, size - len(old))
    Audit(before).close()
    assert verify(before)[::2] == (8, 0)
    # Whole on the disk, and the head not yet: the record counts.
    (before / last).write_bytes(whole)
    assert verify(before).number == 9


def test_an_older_copy_of_the_whole_log_is_found_by_a_note(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "old")
    audit = Audit(folder)
    note = audit.append(Deed("dana", "write", "x"), 9)
    audit.close()
    assert verify(folder, (note.number, note.hash)).number == 9
    assert verify(tmp_path / "old").number == 8
    with pytest.raises(AuditError, match="ends at 8, but 9 was written"):
        verify(tmp_path / "old", (note.number, note.hash))
    with pytest.raises(AuditError, match="record 9 is not the one"):
        verify(folder, (9, START))


def test_a_log_without_its_key_or_head_is_found(folder):
    for name in ("key", HEAD):
        (folder / name).rename(folder / "away")
        assert name in found(folder)
        (folder / "away").rename(folder / name)


def test_a_full_disk_refuses_the_deed_and_every_later_one(folder):
    audit = Audit(folder)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, audit._file)
    os.close(full)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"cannot be written: .*No space left"):
            audit.append(Deed("dana", "write", "x"), 9)
    audit.close()
    assert verify(folder).number == 8


def test_a_record_has_a_limit(folder):
    audit = Audit(folder)
    with pytest.raises(StoreError, match="at most 16384 bytes"):
        audit.append(Deed("dana", "write", "x" * 20_000), 9)
    audit.append(Deed("dana", "write", "x"), 9)
    audit.close()
    assert verify(folder).number == 9


def test_two_processes_write_one_log(tmp_path):
    hub, command = Audit(tmp_path / "a"), Audit(tmp_path / "a")
    for number in range(3):
        hub.append(Deed("hub", "write", str(number)), number)
        command.append(Deed("command line", "user add", str(number)), number)
    hub.close()
    command.close()
    assert verify(tmp_path / "a").number == 6
    assert [one.deed.who for one in entries(tmp_path / "a")] == ["hub", "command line"] * 3


def test_who_finds_the_log_put_back_writes_no_more(tmp_path):
    audit = Audit(tmp_path / "a")
    audit.append(Deed("hub", "write", "1"), 1)
    head = (tmp_path / "a" / HEAD).read_bytes()
    audit.append(Deed("hub", "write", "2"), 2)
    (tmp_path / "a" / HEAD).write_bytes(head)
    with pytest.raises(StoreError, match="put back to record 1"):
        audit.append(Deed("hub", "write", "3"), 3)
    audit.close()


def test_a_changed_log_is_put_aside_and_the_next_one_says_so(folder):
    [first, *_] = segments(folder)
    first.write_bytes(first.read_bytes().replace(b"dana", b"dina"))
    for number in (1, 2):
        audit = opened(folder, 99)
        audit.close()
        [begun] = entries(folder)
        assert begun.deed.what == "begin anew"
        assert begun.deed.on.endswith(f"audit.damaged-{number}")
        assert "was changed" in begun.deed.result
        [only] = segments(folder)
        only.write_bytes(only.read_bytes().replace(b"begin", b"begun"))
