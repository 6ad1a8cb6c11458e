"""What goes wrong, as one sentence that says what to do, and how scripts learn of it."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
"""Exit code: nothing was changed."""
USAGE: Final = 2
"""Exit code: the command line is wrong (argparse's own)."""
SAMPLES_WAIT: Final = 3
"""Exit code: nothing was removed, because samples wait for the hub."""
WENT_BACK: Final = 4
"""Exit code: the other version did not run, and the one before it runs again."""


class InstallError(Exception):
    """The text says what is wrong and what to do; ``code`` is the exit code."""

    def __init__(self, text: str, code: int = FAILED) -> None:
        super().__init__(text)
        self.code = code
