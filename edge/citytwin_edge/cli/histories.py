"""Commands about histories: score, tune."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytwin_edge.cli import options as common

if TYPE_CHECKING:
    from citytwin.point import Point
    from citytwin_edge.kernels import PointRules


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "what the agent would say of a recorded history, row by row"
    command = commands.add_parser("score", help=words, description=words)
    command.add_argument("input", type=Path, help="CSV with the columns timestamp,value")
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="CSV to write")
    _which(command, score)

    words = "suggest limits and a budget of alarms for a point from its history, with the evidence"
    command = commands.add_parser("tune", help=words, description=words)
    command.add_argument("input", type=Path, help="CSV with the columns timestamp,value")
    _which(command, tune)


def _which(command: Any, do: Any) -> None:
    command.add_argument(
        "--point", default="", metavar="DEVICE/POINT", help="whose settings; the only one watched"
    )
    command.add_argument("--json", action="store_true")
    common.common(command, do)


def _settings(options: Any, *, watched: bool) -> tuple[Point, PointRules]:
    """Return a point and its rules: of the configuration, or plain ones where there is none."""
    from citytwin.errors import ConfigError
    from citytwin.point import Point
    from citytwin_edge import scoring
    from citytwin_edge.kernels import PointRules
    from citytwin_edge.kernels.anomaly.settings import AnomalySettings

    if options.config is None and not common.config_path(options).exists():
        return Point(id="history/device/value"), PointRules(anomaly=AnomalySettings())
    config = common.load(options)
    known = scoring.watched(config.points, config.kernels)
    if watched or not options.point or options.point in known:
        return scoring.chosen(config.points, options.point, config.kernels)
    for one in config.points:
        if one.point.id.partition("/")[2] == options.point:
            return one.point, one.rules
    raise ConfigError(f"{options.point} is no point of this gateway; write device/point")


def _notes(point: Point, rules: PointRules) -> list[str]:
    """Return what the agent would know and a history does not."""
    from citytwin_edge import scoring

    meter = scoring.absent_meter(point, rules)
    if not meter:
        return []
    return [f"{meter} is not in the history, which is taken for that of one meter all along"]


def score(options: Any) -> int:
    """Score a history."""
    from citytwin_edge import scoring
    from citytwin_edge.kernels.anomaly.settings import AnomalySettings

    point, rules = _settings(options, watched=True)
    history = scoring.read(options.input, (rules.anomaly or AnomalySettings()).time_zone)
    scored = scoring.score(history, point, rules)
    scoring.write(options.output, history, scored)
    raised = int((scored.alarm > 0).sum())
    span = scoring.months(history)
    if options.json:
        told = {"rows": len(history.stamps), "alarms": raised, "months": round(span, 4),
                "output": str(options.output), "notes": _notes(point, rules)}  # fmt: skip
        print(json.dumps(told, ensure_ascii=False))
        return 0
    each = f", {raised / span:.2f} a month" if span > 0 else ""
    for note in _notes(point, rules):
        print(f"take with care: {note}", file=sys.stderr)
    print(f"{len(history.stamps)} rows, {raised} alarms{each}: {options.output}", file=sys.stderr)
    return 0


def tune(options: Any) -> int:
    """Suggest limits and a budget."""
    from citytwin_edge import scoring, tuning
    from citytwin_edge.kernels.anomaly.settings import AnomalySettings

    point, rules = _settings(options, watched=False)
    zone = (rules.anomaly or AnomalySettings()).time_zone
    history = scoring.read(options.input, zone)
    span = scoring.months(history)
    doubts = [*tuning.doubts(history), *_notes(point, rules)]
    lines = tuning.limits(history)
    tried = tuning.tried(history, point, rules, zone)
    budget = tuning.budget(tried, span)
    if options.json:
        told = {"rows": len(history.stamps), "months": round(span, 4), "doubts": doubts,
                "limits": [one._asdict() for one in lines],
                "budgets": [one._asdict() for one in tried],
                "suggested": budget._asdict()}  # fmt: skip
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return 0
    print(f"# {options.input}: {len(history.stamps)} rows, {span:.2f} months")
    for doubt in doubts:
        print(f"# take with care: {doubt}")
    for line in [*lines, budget]:
        print(f"{line.field} = {line.value}    # {line.evidence}")
    for one in tried:
        rate = f", {one.alarms / span:.2f} a month" if span > 0 else ""
        print(f"# anomaly = {{ budget = {one.budget:g} }}: {one.alarms} alarms{rate}")
        for alarm in one.shown:
            print(f"#     {alarm}")
    print("# look at the alarms: take the budget whose alarms you would have wanted to see")
    return 0
