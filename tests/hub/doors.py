"""Doors for tests: one that lets everybody do everything, and permits of some roles."""

from citytwin_hub.access import AccessError
from citytwin_hub.policy import document
from citytwin_hub.policy.permit import EVERYTHING, Permit


class OpenDoor:
    """Lets everybody in; ``asked`` are the headers and acts of who came."""

    def __init__(self, closed=False):
        self.asked, self.noted, self._closed = [], [], closed

    def admit(self, connection, *acts, whole=False):
        self.asked.append((connection.headers.get("authorization", ""), *acts))
        if self._closed:
            raise AccessError(401, "a token is needed")
        return EVERYTHING

    def record(self, connection, permit, act):
        self.noted.append(act)

    def note(self, permit, what, on):
        self.noted.append((what, on))

    def of_user(self, name):
        return EVERYTHING


def permit(name, *roles, path=None):
    """Return what a user may in some roles of the shipped policy, or of a file."""
    return Permit(name, document.load(path).rights(roles))
