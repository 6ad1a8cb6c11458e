"""No secret leaves: whatever its name, its quotes and its place; nothing else is lost."""

import pytest

from citytwin_edge.console.blanking import BLANK, Secrets, is_secret

CONFIG = '''
[gateway]
name = "g"   # a remark
state = "state"
[[device]]
name = "d1"
host = "10.0.0.1"
user = "reader"
password = "pa$$-word-1"
password_file = "{file}"
key = '00112233445566778899AABBCCDDEEFF'
"api-token" = "tok-2"
keys = {{ "12345678" = "feedface-3", "87654321" = "cafebabe-4" }}
login = {{ user = "x", passphrase = "in-line-5" }}
url = "mqtt://someone:url-secret-6@broker/x"
pins = ["list-secret-7", "list-secret-8"]
multi_secret = """
line-secret-9
line-secret-10"""
psk='bare-secret-11'
certificate_file = "/etc/ssl/c.pem"
topic = "monkey/{{device}}"
[device.passwords]
reader = "table-secret-13"
[[device.point]]
name = "keyhole"
scale = 0.1
note = "the password = what the manual says"
'''
PLANTED = ["pa$$-word-1", "00112233445566778899AABBCCDDEEFF", "tok-2", "feedface-3", "cafebabe-4",
           "in-line-5", "url-secret-6", "list-secret-7", "list-secret-8", "line-secret-9",
           "line-secret-10", "bare-secret-11", "file-secret-12", "table-secret-13"]  # fmt: skip
KEPT = ["# a remark", 'host = "10.0.0.1"', 'user = "reader"', 'certificate_file = "/etc/ssl/c.pem"',
        'name = "keyhole"', "scale = 0.1", "the password = what the manual says",
        'topic = "monkey/', "mqtt://someone:"]  # fmt: skip


@pytest.fixture
def text(tmp_path):
    (tmp_path / "password").write_text("file-secret-12\n")
    return CONFIG.format(file=tmp_path / "password")


@pytest.mark.parametrize("broken", ["", "\n[[device\n", "\nkey = \n"])
def test_every_secret_of_a_configuration_is_blanked(text, broken):
    """Also of one that is no TOML: the two nets do not need each other."""
    shown = Secrets(text + broken).configuration()
    left = [secret for secret in PLANTED if secret in shown]
    assert left == []
    assert [words for words in KEPT if words not in shown] == []
    assert len(shown.splitlines()) >= len(text.splitlines()) - 2, "lines keep their numbers"
    assert shown.count(BLANK) >= 8


def test_what_is_secret_is_not_in_any_other_text_either(text):
    said = " ".join(f"the device refused {one!r}" for one in PLANTED)
    clean = Secrets(text).cleaned(said)
    assert [secret for secret in PLANTED if secret in clean] == []
    assert clean.startswith(f"the device refused '{BLANK}' ")


def test_what_looks_like_a_secret_goes_without_a_configuration():
    pem = "-----BEGIN EC PRIVATE KEY-----\nAbC\n-----END EC PRIVATE KEY-----"
    said = f"a {pem} b ct1.abc-DEF_1.x c http://u:pw@h/ d -----BEGIN X-----\ncut off"
    clean = Secrets("").cleaned(said)
    for secret in ("AbC", "abc-DEF_1", "pw@", "cut off"):
        assert secret not in clean
    assert clean.startswith(f"a {BLANK} b {BLANK} c http://u:{BLANK}@h/ d {BLANK}")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True), ("mqtt_password", True), ("key", True), ("keys", True), ("Key", True),
        ("decryption_key", True), ("token", True), ("api-token", True), ("pin", True),
        ("password_file", False), ("key_file", False), ("keyhole", False), ("name", False),
        ("keep_alive_s", False), ("pinned", False), ("tokens", True), ("spinning", False),
    ],
)  # fmt: skip
def test_names_of_secrets(name, secret):
    assert is_secret(name) == secret


def test_short_values_do_not_blank_half_of_a_text():
    secrets = Secrets('key = "a"\npin = 7\n')
    assert secrets.cleaned("a banana, 7 times") == "a banana, 7 times"
    assert secrets.configuration() == f'key = "{BLANK}"\npin = "{BLANK}"\n'
