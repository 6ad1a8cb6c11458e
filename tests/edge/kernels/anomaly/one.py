"""One channel through a kernel of the chain, value by value, as numpy runs it."""

from __future__ import annotations

from typing import Any

import numpy as np


def columns(*numbers):
    return [np.array([number]) for number in numbers]


class Channel:
    """The state of one channel; ``take`` calls a kernel's formula with numbers."""

    def __init__(self, formula, numbers: int, *head) -> None:
        self.formula, self.head = formula, head
        self.state = np.zeros((numbers, 1))

    def take(self, *arguments) -> Any:
        told = self.formula(self.state, 0, *self.head, *columns(*arguments))
        if isinstance(told, tuple):
            return tuple(float(one[0]) for one in told)
        return float(told[0])
