"""`citytwin-hub policy`: a file is checked before a hub reads it."""

from tests.hub.test_user_command import run

__all__ = ["run"]


def test_what_a_policy_says_and_what_is_wrong_in_one(run, tmp_path):
    code, text = run("policy", "check")
    assert (code, text) == (0, "9 roles, nothing is wrong\n")
    code, text = run("policy", "show")
    assert code == 0
    assert "medeu" in text
    assert ".ownerName" in text
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[role.x]\n[[role.x.may]]\nacts = ["look"]\n')
    code, text = run("policy", "check", str(wrong))
    assert code == 1
    assert f"{wrong}:3:" in text
    assert "there is no act 'look'" in text
