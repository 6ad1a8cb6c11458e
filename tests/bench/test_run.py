"""Figures name the commit that they are of, and say when the tree was another one."""

from __future__ import annotations

import subprocess

from tests.bench.run import commit


def git(root, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


def test_a_tree_with_changes_is_said_to_be_dirty_and_kept_figures_are_none(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("code.py", "docs/figures.md"):
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    clean = commit(tmp_path)
    assert len(clean) >= 7
    assert not clean.endswith("-dirty")
    (tmp_path / "docs/figures.md").write_text("2\n")
    assert commit(tmp_path) == clean
    (tmp_path / "code.py").write_text("2\n")
    assert commit(tmp_path) == clean + "-dirty"
    git(tmp_path, "checkout", "code.py")
    (tmp_path / "new.py").write_text("")
    assert commit(tmp_path) == clean + "-dirty"
