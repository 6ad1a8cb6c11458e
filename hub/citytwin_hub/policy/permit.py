"""Permit: who asks, in which roles, and what these may do; made once for each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from citytwin_hub.access import AccessError
from citytwin_hub.policy.grants import Act, Grant, Rights

_VERBS: Final = {
    Act.READ: "read this",
    Act.WRITE: "write this",
    Act.COMMAND: "command this",
    Act.PLAN: "plan",
    Act.SUBSCRIBE: "subscribe",
    Act.CONFIGURE: "configure gateways",
    Act.ADMINISTER: "administer users and policy",
}


@dataclass(frozen=True, slots=True)
class Permit:
    """What one request may do (immutable).

    Attributes:
        name: the user's; of nobody without a token ``anonymous``.
        rights: what the user's roles may do.
        source: from where the request came; empty where that is not known.
    """

    name: str
    rights: Rights
    source: str = ""

    @property
    def role(self) -> str:
        """The names of the roles, with commas between."""
        return ", ".join(self.rights.roles)

    def may(self, *acts: Act) -> bool:
        """Tell whether one of some acts may be done on anything at all."""
        return not self.rights.acts.isdisjoint(acts)

    def is_whole(self, *acts: Act) -> bool:
        """Tell whether one of some acts may be done on everything."""
        return self.rights.is_whole(*acts)

    def require(self, *acts: Act, whole: bool = False) -> None:
        """Do nothing if one of some acts may be done (``whole``: on everything).

        Raises:
            AccessError: 403.
        """
        if not (self.is_whole(*acts) if whole else self.may(*acts)):
            raise AccessError(403, self.refusal(acts[0], whole=whole))

    def refusal(self, act: Act, *, whole: bool = False) -> str:
        """Return the sentence that refuses an act."""
        where = " everywhere, which this needs" if whole and self.may(act) else ""
        return f"{self.name} is {self.role or 'without a role'} and may not {_VERBS[act]}{where}"


_ALL: Final = Rights(("admin",), (Grant(acts=frozenset(Act)),))
EVERYTHING: Final = Permit("local", _ALL)
"""May do everything: of what the hub does by itself, and of tests."""
