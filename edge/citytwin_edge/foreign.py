"""Foreign: what other people's code raises, as a sentence that says whose it is and its line."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from citytwin import errors
from citytwin.errors import CityTwinError, ConfigError

FOREIGN_ERRORS: Final = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError,
    LookupError, NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What a mistake in other people's code raises when it is imported or builds something."""

_Made = TypeVar("_Made")
_OURS: Final = (Path(__file__).parent, Path(errors.__file__).parent)
"""Where callers stand, who are not to blame."""


def built(what: str, make: Callable[[], _Made]) -> _Made:
    """Return what other people's code builds.

    Args:
        what: whose it is, as people read it: ``adapter "acme-gauge"``.
        make: calls it.

    Raises:
        ConfigError: settings and points do not fit together, or that code has a mistake; then the
            text names it and its line.
    """
    try:
        return make()
    except CityTwinError:
        raise
    except FOREIGN_ERRORS as error:
        raise ConfigError(f"{what} has a mistake: {blamed(error)}; tell its maker") from None


def blamed(error: Exception) -> str:
    """Return what was raised and where: ``ZeroDivisionError: division by zero (x.py, line 5)``."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):  # it says its own place
        return said
    places = [(Path(one.filename), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    # The innermost line that is neither the interpreter's own nor that of whoever called.
    theirs = [
        f" ({path.name}, line {number})"
        for path, number in places
        if not path.name.startswith("<") and path.parent not in _OURS
    ]
    return said + (theirs[-1] if theirs else "")
