"""Logs: one line per event to standard error, for people or for machines."""

import json
import logging

import pytest
import structlog

from citytwin.logs import configure


def test_for_machines_each_line_is_one_object(capsys):
    configure("json")
    log = structlog.get_logger("citytwin_hub.x")
    log.info("command.sent", point="g/d/сорғы", value=1.5, reason="line\nbreak")
    log.error("journal.append_failed", path=None)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = (json.loads(line) for line in err.splitlines())
    assert first["event"] == "command.sent"
    assert (first["point"], first["value"], first["reason"]) == ("g/d/сорғы", 1.5, "line\nbreak")
    assert "сорғы" in err, "people read it, too"
    assert (first["level"], second["level"]) == ("info", "error")
    assert first["timestamp"].endswith("Z")


def test_for_people_it_has_words_and_no_colours_in_a_file(capsys):
    configure("text")
    structlog.get_logger().warning("link.refused", gateway="medeu-1")
    err = capsys.readouterr().err
    assert "link.refused" in err
    assert "gateway=medeu-1" in err
    assert "\x1b[" not in err


def test_below_its_level_nothing_is_said(capsys):
    configure("text", "error")
    structlog.get_logger().warning("not this")
    structlog.get_logger().error("but this")
    assert capsys.readouterr().err.count("\n") == 1


def test_exceptions_are_whole(capsys):
    configure("json")
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("hub.failed")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "hub.failed"
    assert "ValueError: broken" in str(line["exception"])


@pytest.mark.parametrize("form", ["json", "text"])
def test_libraries_speak_in_the_same_form_and_once(capsys, form):
    configure(form)
    configure(form)
    logging.getLogger("asyncio").error("Task was destroyed: %s", "x")
    before = capsys.readouterr().err
    logging.getLogger("asyncio").info("chatter")
    assert capsys.readouterr().err == ""
    try:
        raise OSError("broken")
    except OSError:
        logging.getLogger("uvicorn.error").exception("in the application")
    err = before + capsys.readouterr().err
    if form == "json":
        first, second = (json.loads(line) for line in err.splitlines())
        assert (first["event"], first["logger"]) == ("Task was destroyed: x", "asyncio")
        assert (first["level"], second["level"]) == ("error", "error")
        assert "OSError: broken" in second["exception"]
    else:
        assert err.count("Task was destroyed: x") == 1
        assert "OSError: broken" in err


@pytest.mark.parametrize("form", ["text", "json"])
def test_whoever_keeps_lines_gets_their_fields(capsys, form):
    kept = []
    configure(form, "info", kept.append)
    log = structlog.get_logger()
    log.debug("not this")
    log.warning("device failed", device="d", reason="silent")
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        log.error("adapter failed", exc_info=error)
    logging.getLogger("library").warning("from %s", "elsewhere")
    first, second, third = kept
    assert (first["event"], first["device"], first["level"]) == ("device failed", "d", "warning")
    assert first["timestamp"]
    assert "ValueError: no such thing" in second["exception"]
    assert third["event"] == "from elsewhere"
    assert not any(name.startswith("_") for line in kept for name in line)
    assert "device failed" in capsys.readouterr().err, "it is still logged"
