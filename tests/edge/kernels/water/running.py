"""A gateway of one device and one kernel, and rough samples of its inputs."""

import msgspec
import numpy as np

from citytwin import Batch, Point, Quality
from citytwin_edge.config import load
from citytwin_edge.kernels import build
from citytwin_edge.pipeline import Pipeline
from tests.edge.kernels.series import rough

HEAD = """\
[gateway]
name = "g"
[[device]]
name = "d"
adapter = "modbus"
host = "192.0.2.7"
"""


def run(tmp_path, units, table, batch):
    """Load a file with points ``a``, ``b``, … of these units and a kernel; run samples through.

    Returns its outputs and, for each, values and qualities.
    """
    names = "abcdefgh"[: len(units)]
    points = "".join(
        f'[[device.point]]\nname = "{name}"\nunit = "{unit}"\ntable = "input"\naddress = {at}\n'
        for at, (name, unit) in enumerate(zip(names, units, strict=True))
    )
    inputs = ", ".join(f'"d/{name}"' for name in names)
    path = tmp_path / "edge.toml"
    path.write_text(f'{HEAD}{points}[[kernel]]\nname = "k"\ninputs = [{inputs}]\n{table}')
    config = load(path)
    kernels = build([(one.point, one.rules) for one in config.points], config.kernels)
    made = [point for kernel in kernels.values() for point in kernel.outputs]
    everything = [one.point for one in config.points] + made
    pipeline = Pipeline(kernels, everything, np.arange(len(everything), dtype=np.int32))
    pipeline.take(batch)
    parcel = pipeline.tick()
    told = Batch.concat([parcel.telemetry, parcel.alarms])
    return made, [of(told, len(units) + number) for number in range(len(made))]


def of(batch, number):
    mine = batch.select(batch.point == number)
    return mine.value.tolist(), mine.quality.tolist()


def settings(kind, /, **fields):
    """Decode the fields as the gateway does; what is wrong is a ValidationError."""
    return msgspec.convert(fields, kind.settings)


def built(kind, units, /, **fields):
    points = [Point(id=f"g/d/{number}", unit=unit) for number, unit in enumerate(units)]
    return kind.build(settings(kind, **fields), points)


def shaken(seed, centres, widths, samples=800):
    """Return rough samples, each input around a centre."""
    batch = rough(seed, samples, len(centres), bad=0.1)
    value = np.array(centres)[batch.point] + np.array(widths)[batch.point] * np.sin(batch.value / 3)
    value = np.where(np.isnan(batch.value), np.nan, value)
    return Batch(batch.point, batch.time_ns, value, batch.quality)


def days(seed, widths, samples=12_000):
    """Return samples a minute or so apart, for days: gaps, repeated, late, clocks set back."""
    random = np.random.default_rng(seed)
    steps = random.choice(
        [0, 20, 40, 90, 1500, 20_000, -30, -9000],
        samples, p=[0.1, 0.3, 0.3, 0.289, 0.004, 0.001, 0.005, 0.001],
    )  # fmt: skip
    point = random.integers(0, len(widths), samples)
    quality = random.choice(
        [Quality.GOOD, Quality.UNCERTAIN_RANGE, Quality.BAD_SILENT], samples, p=[0.94, 0.03, 0.03]
    )
    value = np.array(widths)[point] * random.uniform(0.5, 1.5, samples)
    value = np.where(quality == Quality.BAD_SILENT, np.nan, value)
    time_ns = (1_767_225_600 + np.cumsum(steps)) * 10**9
    return Batch.of(point, time_ns, value, quality)


def one(kernel, *values):
    """Return what follows from one sample of each input: values, and the quality of the first."""
    made = kernel.step(Batch.of(np.arange(len(values)), 1_767_225_600 * 10**9, values))
    return made.value.tolist(), made.quality.tolist()[0]
