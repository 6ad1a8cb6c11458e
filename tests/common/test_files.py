"""Files: the old one or the new one, never a part."""

import os
import stat

import pytest

from citytwin.files import remove, replace, sync


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


def test_removing_what_is_not_there_is_none(tmp_path):
    path = tmp_path / "state"
    replace(path, lambda file: file.write(b"old"))
    remove(path)
    assert not path.exists()
    remove(path)


@pytest.mark.parametrize("umask", [0o077, 0o022, 0])
def test_a_file_has_the_rights_that_are_wanted_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        replace(tmp_path / "file", lambda file: file.write(b"x"), mode=0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
