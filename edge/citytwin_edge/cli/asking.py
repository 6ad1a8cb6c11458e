"""Questions to whoever sits at the terminal; where nobody does, the usual answer is taken."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from citytwin.errors import CityTwinError
from citytwin_edge.cli import output, values

YES: Final = frozenset({"y", "yes", "д", "да", "иә"})


def somebody() -> bool:
    """Tell whether there is somebody to be asked."""
    return sys.stdin.isatty()


def answer(what: str, usual: str = "") -> str:
    """Ask; return the answer, or the usual one for Enter alone.

    Raises:
        CityTwinError: the input has ended.
    """
    print(f"{what}{f' [{usual}]' if usual else ''}: ", end="", flush=True)
    line = sys.stdin.readline()
    if not line:
        print()
        raise CityTwinError(f"there was no answer to: {what}; nothing was changed")
    return line.strip() or usual


def agreed(what: str) -> bool:
    """Ask for a yes; without a terminal it is a no."""
    return somebody() and answer(f"{what}: yes or no", "no").casefold() in YES


def field(name: str, kind: Any, usual: str, meaning: str, *, optional: bool = False) -> Any:
    """Ask for a field until it has a value of its type.

    Args:
        name: the field.
        kind: its type, as msgspec has it.
        usual: taken for Enter alone; empty: there is none.
        meaning: told before the question.
        optional: Enter alone leaves it out.

    Returns:
        The value; None where it is left out.
    """
    if meaning:
        print(output.paint(f"  {name}: {meaning}", "dim"))

    def check(text: str) -> Any:
        if not text and not optional:
            raise ValueError("it must be there")
        return values.suiting(text, kind) if text else None

    return checked(name, usual, check)


def checked(what: str, usual: str, check: Callable[[str], Any]) -> Any:
    """Ask until the answer passes; a ``ValueError`` of ``check`` is told, and it asks again."""
    import msgspec

    while True:
        try:
            return check(answer(what, usual))
        except msgspec.ValidationError as error:
            print(f"  that cannot be: {str(error).lower().replace('`', '')}")
        except ValueError as error:
            print(f"  that cannot be: {error}")
