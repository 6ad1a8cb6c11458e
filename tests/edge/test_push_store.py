"""What a gateway remembers of a push: any crash and power cut leaves the old one or the new."""

import stat
import sys

import msgspec
import pytest

from citytwin.errors import ConfigError, StoreError
from citytwin_edge.gateway import digest
from citytwin_edge.push_store import STARTS_MAX, ConfigStore, Push, ended, recovered
from tests.powercut import moments

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
OLD, NEW, THIRD = (
    f'[gateway]\nname = "g"\nstate = "state"\n[outbox]\nflush_ms = {ms}\n'.encode()
    for ms in (100, 200, 300)
)
PUSH = Push(
    number=3, seen=3, old=digest(OLD), new=digest(NEW), at_ns=NOW, deadline_ns=NOW + 60 * SECOND,
    trial_ns=60 * SECOND,
)  # fmt: skip


def store_of(tmp_path, state="", file=OLD, **fields):
    path = tmp_path / "edge.toml"
    path.write_bytes(file)
    store = ConfigStore(path, tmp_path / "state")
    store.keep_previous(OLD)
    if state:
        store.note(msgspec.structs.replace(PUSH, state=state, **fields))
    return store


@pytest.mark.parametrize(
    ("state", "file", "after_s", "left", "says", "reason"),
    [
        ("taking", OLD, 1, OLD, "", ""),
        ("taking", NEW, 1, NEW, "trial", ""),
        ("trial", NEW, 59, NEW, "trial", ""),
        ("trial", NEW, 60, OLD, "rolled-back", "not reached in time"),
        ("trial", THIRD, 1, THIRD, "rolled-back", "changed on the spot"),
        ("trial", OLD, 1, OLD, "rolled-back", "changed on the spot"),
        ("rolling-back", NEW, 1, OLD, "rolled-back", "the hub is gone"),
        ("rolling-back", OLD, 1, OLD, "rolled-back", "the hub is gone"),
        ("rolling-back", THIRD, 1, THIRD, "rolled-back", "the hub is gone"),
        ("confirmed", NEW, 99, NEW, "confirmed", ""),
        ("rolled-back", OLD, 99, OLD, "rolled-back", "the hub is gone"),
        ("refused", OLD, 99, OLD, "refused", "the hub is gone"),
    ],
)
def test_a_start_goes_on_with_what_a_stop_has_cut_short(
    tmp_path, state, file, after_s, left, says, reason
):
    given = (
        {"reason": "the hub is gone"} if state in {"rolling-back", "rolled-back", "refused"} else {}
    )
    store = store_of(tmp_path, state, file, **given)
    push = PUSH
    for _ in range(2):  # and a second start changes nothing more
        config = recovered(store.path, NOW + after_s * SECOND)
        assert (config.raw, store.path.read_bytes()) == (left, left)
        push = store.push()
        assert push.state == says
        assert reason in push.reason
        assert push.seen == 3, "an older one is not taken, whatever happened"
    assert (push.number, bool(push.reason)) == (3 if says else 0, bool(reason))


def test_what_cannot_be_used_goes_at_once_and_what_keeps_falling_soon(tmp_path):
    wrong = b'[gateway]\nname = "g"\nstate = "state"\nno_such = 1\n'
    store = store_of(tmp_path, "trial", wrong, new=digest(wrong))
    assert recovered(store.path, NOW).raw == OLD
    assert "no_such" in store.push().reason
    store = store_of(tmp_path, "trial", NEW)
    for _ in range(STARTS_MAX):
        assert recovered(store.path, NOW).raw == NEW
    assert recovered(store.path, NOW).raw == OLD
    assert f"started {STARTS_MAX} times" in store.push().reason


def test_a_file_that_cannot_be_used_and_was_never_pushed_is_an_error(tmp_path):
    (tmp_path / "edge.toml").write_bytes(b"[gateway]\nnam = 1\n")
    with pytest.raises(ConfigError, match=r"edge.toml:2"):
        recovered(tmp_path / "edge.toml", NOW)


def test_a_disk_that_fails_does_not_stop_the_gateway(tmp_path):
    store = store_of(tmp_path, "trial", NEW)
    (store.folder / "previous.toml").unlink()
    assert recovered(store.path, NOW + 61 * SECOND).raw == NEW
    (store.folder / "push.json").write_bytes(b"{")
    assert store.push() == Push()


def test_files_keep_their_rights_and_what_is_overwritten_is_kept(tmp_path):
    store = store_of(tmp_path, file=THIRD)
    store.path.chmod(0o640)
    store.put(NEW)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o640
    assert (store.folder / "overwritten.toml").read_bytes() == THIRD
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in store.folder.iterdir()} == {0o600}
    store.note(ended(PUSH, "refused", "no", NOW))
    assert store.push() == msgspec.structs.replace(PUSH, state="refused", reason="no")
    elsewhere = ConfigStore(tmp_path / "none" / "edge.toml", tmp_path / "state")
    assert elsewhere.digest() == ""
    with pytest.raises(StoreError, match="must own the folder"):
        elsewhere.put(NEW)


WRITER = """
import sys, pathlib
from tests.edge.test_push_store import NEW, OLD, PUSH
from citytwin_edge.push_store import ConfigStore, ended
import msgspec
folder = pathlib.Path(sys.argv[1])
store = ConfigStore(folder / "edge.toml", folder / "state")
folder.mkdir(exist_ok=True)
store.put(OLD)
print("begun", flush=True)
store.keep_previous(OLD)
push = store.note(msgspec.structs.replace(PUSH, state="taking"))
store.put(NEW)
push = store.note(msgspec.structs.replace(push, state="trial"))
print("tried", flush=True)
store.note(ended(push, "rolling-back", "the hub is gone", 5))
store.put(store.previous())
store.note(ended(push, "rolled-back", "the hub is gone", 6))
print("back", flush=True)
"""


def test_a_power_cut_at_any_moment_leaves_one_whole_configuration(tmp_path):
    """All files as a disk may have them, worked out from a trace; see tests/powercut.py."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "disk")]
    seen = set()
    for number, moment in enumerate(moments(command, tmp_path / "disk", tmp_path / "trace")):
        for seed in range(3):
            folder = tmp_path / f"cut-{number}-{seed}"
            moment.cut(folder, seed)
            if "begun" not in moment.said:
                continue
            found = (folder / "edge.toml").read_bytes()
            assert found in (OLD, NEW), "never a half"
            config = recovered(folder / "edge.toml", NOW + 61 * SECOND)
            assert config.raw == OLD, "its time is over, so whatever was under way is undone"
            state = ConfigStore(folder / "edge.toml", folder / "state").push().state
            assert state in {"", "rolled-back"}
            seen.add((found == NEW, state))
    assert (True, "rolled-back") in seen
    assert (False, "") in seen
