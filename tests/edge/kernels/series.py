"""Series of samples as the field gives them: drifts, jumps, gaps, bad ones, clocks set back."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from citytwin import Batch, Point, Quality

SECOND = 10**9
START = 1_767_225_600 * SECOND
QUALITIES = (Quality.GOOD, Quality.UNCERTAIN_RANGE, Quality.BAD_SILENT, Quality.BAD_OUT_OF_RANGE)


def points(count: int) -> list[Point]:
    return [Point(id=f"g/d/p{index}") for index in range(count)]


def rough(
    seed: int, samples: int, count: int = 3, *, sorted_times: bool = False, bad: float = 0.05
) -> Batch:
    """Return samples of ``count`` points: noise on drifts, with everything that goes wrong."""
    random = Random(seed)
    value = [random.uniform(-10, 10) for _ in range(count)]
    drift = [random.uniform(-1, 1) for _ in range(count)]
    clock = [START] * count
    rows = []
    for _ in range(samples):
        point = random.randrange(count)
        chance = random.random()
        step_s = random.choice((1, 1, 1, 0.1, 5))
        if chance < 0.02:
            step_s = random.uniform(50, 5000)  # silent for a while
        elif chance < 0.04 and not sorted_times:
            step_s = -random.choice((0, 0.5, 20, 3600))  # repeated, late, or a clock set back
        clock[point] += int(step_s * SECOND)
        if random.random() < 0.05:
            value[point] += random.uniform(-50, 50)
            drift[point] = random.uniform(-1, 1)
        value[point] += drift[point] * abs(step_s) + random.gauss(0, 0.3)
        quality = random.choice(QUALITIES) if random.random() < bad else Quality.GOOD
        is_void = quality == Quality.BAD_SILENT or (quality and random.random() < 0.5)
        seen = float("nan") if is_void and quality.name.startswith("BAD") else value[point]
        rows.append((point, clock[point], seen, quality))
        if random.random() < 0.01 and not sorted_times:
            # A straggler: one late sample, after which time goes on where it was.
            late = clock[point] - int(random.uniform(0.1, 30) * SECOND)
            rows.append((point, late, random.uniform(-100, 100), Quality.GOOD))
    return Batch.of(*zip(*rows, strict=True))


def of(batch: Batch, point: int) -> Batch:
    return batch.select(batch.point == point)


def stretches(batch: Batch) -> list[Batch]:
    """Cut the samples of one point where time does not go on."""
    cuts = [0]
    cuts += [row for row in range(1, len(batch)) if batch.time_ns[row] <= batch.time_ns[row - 1]]
    cuts.append(len(batch))
    return [batch.select(slice(low, high)) for low, high in pairwise(cuts)]
