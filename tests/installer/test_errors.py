"""An error of the installer is a sentence and an exit code."""

from installer.errors import FAILED, SAMPLES_WAIT, InstallError


def test_an_error_says_what_is_wrong_and_how_it_ends():
    assert (str(InstallError("no room")), InstallError("no room").code) == ("no room", FAILED)
    assert InstallError("7 samples wait", SAMPLES_WAIT).code == SAMPLES_WAIT
