"""``make bench``: every benchmark in one run, printed as tables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from tests.bench import (
    bench_anomaly,
    bench_codec,
    bench_decode,
    bench_fleet,
    bench_gateway,
    bench_mqtt,
)

BENCHES: dict[str, Callable[[], Any]] = {
    "anomaly": bench_anomaly.run,
    "codec": bench_codec.run,
    "decode": bench_decode.run,
    "gateway": bench_gateway.run,
    "fleet": bench_fleet.run,
    "mqtt": bench_mqtt.run,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    for name in names or BENCHES:
        print(f"\n== {name}")
        rows = BENCHES[name]()
        if rows and not isinstance(rows[0], list):
            continue  # it has printed its own table
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main(sys.argv[1:])
