"""Files: the old one or the new one, never a part; one hub at a time in a folder."""

import stat
import subprocess
import sys

import pytest

from citytwin.errors import StoreError
from citytwin_hub.files import locked, replace, sync


def test_a_file_is_replaced_whole_with_its_rights(tmp_path):
    path = tmp_path / "key.pem"
    (tmp_path / "key.pem.partial").write_bytes(b"left over, for everybody to read")
    replace(path, lambda file: file.write(b"one"), mode=0o600)
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    replace(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert [one.name for one in tmp_path.iterdir()] == ["key.pem"]


def test_what_fails_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "state"
    replace(path, lambda file: file.write(b"old"))

    def fails(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace(path, fails)
    assert path.read_bytes() == b"old"
    replace(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"


def test_syncing_what_is_not_there_is_an_error(tmp_path):
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_one_hub_at_a_time(tmp_path):
    """The lock ends with its process, however that ends."""
    code = (
        "import sys, pathlib; from citytwin_hub.files import locked\n"
        "lock = locked(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"another hub runs with {tmp_path}"):
            locked(tmp_path)
        child.kill()
    locked(tmp_path).close()
