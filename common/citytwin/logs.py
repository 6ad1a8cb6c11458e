"""Logs: one line per event to standard error, for people (text) or for machines (json)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def configure(
    form: Literal["text", "json"],
    level: str = "info",
    keep: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Send every log line to standard error in one form; called by a command.

    Libraries that use Python's own logging speak in the same form, of warnings and worse.
    ``keep`` is given the fields of each line, too, in whatever thread it is logged.
    """
    stamp: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.EventRenamer("event"),
    ]
    if keep is not None:
        stamp.append(_kept_by(keep))
    render: list[Processor] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*stamp, *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # Asked for at each event: standard error may be another by then (under tests it is).
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    others = [handler for handler in root.handlers if not isinstance(handler, _Handler)]
    root.handlers = [*others, _Handler(stamp, render)]


def _kept_by(keep: Callable[[Mapping[str, Any]], None]) -> Processor:
    def kept(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        fields = {key: value for key, value in event.items() if not key.startswith("_")}
        keep(structlog.processors.format_exc_info(logger, name, fields))
        return event

    return kept


class _Handler(logging.Handler):
    """Python's own log records in our form."""

    def __init__(self, stamp: Sequence[Processor], render: Sequence[Processor]) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[structlog.stdlib.add_logger_name, *stamp],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except (OSError, ValueError):
            self.handleError(record)
