"""Runs ETSI's NGSI-LD conformance suite against a hub of its own, and prints the table by group.

``make conformance SUITE=path`` with the suite's checkout; it is copied and its addresses are
changed in the copy, so that nothing is asked of the internet: its @contexts are served on
loopback, mosquitto stands where it wants an MQTT broker, and the mock servers of the suite listen
on loopback. ``ARGS`` may name parts of paths below ``TP/NGSI-LD`` to run only those.

::

    make conformance SUITE=~/ngsi-ld-test-suite ARGS="Provision/Entities jsonldContext"
    make conformance SUITE=~/first ARGS="--httpctrl ~/head --failing"
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.servers import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = ("TP", "data", "libraries", "resources")
CONTEXTS: Final = "/resources/jsonld-contexts/"
START_S_MAX: Final = 30
RUN_S_MAX: Final = 3600
LOOPBACK: Final = "127.0.0.1"
DEFAULT_MQTT_PORT: Final = 1883
"""Some cases give an MQTT address without a port."""
COMPOUND: Final = "ngsi-ld-test-suite-compound.jsonld"
ELSEWHERE: Final = {
    "https://easy-global-market.github.io/ngsild-api-data-models/ngsildTestSuite/"
    "ngsildTestSuiteV1.8-compound.jsonld": COMPOUND,
    "https://fiware.github.io/NGSI-LD_TestSuite/ldContext/testContext.jsonld": "test.jsonld",
    "https://fiware.github.io/data-models/context.jsonld": "fiware.jsonld",
    "http://smartdatamodels.org/context.jsonld": "models.jsonld",
}
"""@contexts that the suite has from the internet, and what is served instead; no case uses a term
of those that the suite has no copy of, only that they can be had."""
TEXTS: Final = {".robot", ".resource", ".py", ".json", ".jsonld", ".geojson"}


class Case(NamedTuple):
    """One case: the group it is counted in, its name, and what went wrong, if something did."""

    group: str
    name: str
    wrong: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; return 0 when it could be run, whatever it found."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("suite", type=Path, help="a checkout of the suite")
    parser.add_argument("parts", nargs="*", help="parts of paths: only these")
    parser.add_argument("--httpctrl", type=Path, help="the checkout whose mock servers are used")
    parser.add_argument("--robot", type=Path, required=True, help="a Python that has Robot")
    parser.add_argument("--failing", action="store_true", help="list each case that fails")
    parser.add_argument("--output", type=Path, help="keep Robot's logs in this folder")
    options = parser.parse_intermixed_args(arguments)
    if not (options.suite / "TP").is_dir():
        print(f"{options.suite} holds no suite: there is no folder TP", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="ngsild-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        suite = _copied(options.suite, options.httpctrl or options.suite, folder / "suite")
        served = suite / "resources/jsonld-contexts"
        for name in set(ELSEWHERE.values()) - {COMPOUND}:
            (served / name).write_text('{"@context": {}}', encoding="utf-8")
        contexts = running.enter_context(_serving(served))
        broker_port = running.enter_context(_mosquitto(folder))
        hub_port = free_port()
        _change_addresses(suite, contexts, hub_port, broker_port)
        output = (options.output or folder / "output").absolute()
        cases = list[Case]()
        for group, files in _groups(suite, options.parts).items():
            name = group.replace("/", "-")
            # Cases of a group ask for all that there is: what other groups leave is not theirs.
            with _hub(folder / name, hub_port):
                _robot(options.robot.absolute(), suite, files, output / name)
            cases += _cases(output / name / "output.xml", suite)
    _print(cases, failing=options.failing)
    return 0 if cases else 1


def _copied(suite: Path, httpctrl: Path, copy: Path) -> Path:
    for part in PARTS:
        source = httpctrl if part == "libraries" else suite
        shutil.copytree(source / part, copy / part)
    if httpctrl != suite:
        for own in (suite / "libraries").glob("*.py"):
            shutil.copy(own, copy / "libraries")
    return copy


def _change_addresses(suite: Path, contexts: str, hub_port: int, broker_port: int) -> None:
    """Point the copy at this machine: its contexts, the hub, the broker, its mock servers."""
    for path in suite.rglob("*"):
        if path.suffix in TEXTS and path.is_file():
            text = path.read_text(encoding="utf-8")
            words = [
                word for word in text.replace('"', " ").replace("'", " ").split()
                if word.startswith("https://") and CONTEXTS in word
            ]  # fmt: skip
            for word in set(words):
                text = text.replace(word, contexts + word.rpartition("/")[2])
            for word, name in ELSEWHERE.items():
                text = text.replace(word, contexts + name)
            path.write_text(text, encoding="utf-8")
    variables = suite / "resources/variables.py"
    settings = {
        "url": f"http://{LOOPBACK}:{hub_port}/ngsi-ld/v1",
        "temporal_api_url": f"http://{LOOPBACK}:{hub_port}/ngsi-ld/v1",
        "ngsild_test_suite_context": contexts + COMPOUND,
        "mqtt_broker_host": LOOPBACK,
        "mqtt_broker_non_default_port": broker_port,
        # The hub keeps the evolution of what is no more.
        "delete_temporal_on_core_delete": False,
    }
    for server in ("notification_server", "context_source", "context_server"):
        settings |= {f"{server}_host": LOOPBACK, f"{server}_port": free_port()}
    with variables.open("a", encoding="utf-8") as file:
        file.writelines(f"\n{name} = {value!r}" for name, value in settings.items())


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """Serve the suite's contexts; yields the address that their names are put behind."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".jsonld": "application/ld+json"}  # noqa: RUF012  # the library's own

        def log_message(self, format: str, *args: Any) -> None:  # its names
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def _mosquitto(folder: Path) -> Iterator[int]:
    """Run a broker on MQTT's own port and on another; yields the other."""
    port = free_port()
    config = folder / "mosquitto.conf"
    listeners = "".join(f"listener {one} {LOOPBACK}\n" for one in (DEFAULT_MQTT_PORT, port))
    config.write_text(f"{listeners}allow_anonymous true\n")
    command = [shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") or "mosquitto"]
    with _process([*command, "-c", str(config)], folder / "mosquitto.log"):
        yield port


@contextlib.contextmanager
def _hub(folder: Path, port: int) -> Iterator[None]:
    """Run a new hub that everybody on this machine may use."""
    folder.mkdir()
    config = folder / "hub.toml"
    config.write_text(
        f'[hub]\nstate = "{folder / "hub"}"\n'
        f'[link]\nbind = "{LOOPBACK}:0"\nenrol_bind = "{LOOPBACK}:0"\n'
        f'[http]\nbind = "{LOOPBACK}:{port}"\nanonymous = "operator"\n'
        f'[ngsild]\ncontext_hosts = ["{LOOPBACK}"]\n'
        'notify_hosts = ["my.second.endpoint.org", "a.b.c"]\n'
        # The suite has evolutions of at most 59 instances, and wants some in parts.
        "evolution_instances_max = 15\n"
    )
    program = Path(sys.executable).parent / "citytwin-hub"
    command = [str(program), "--config", str(config), "run"]
    with _process(command, folder / "hub.log", ready="hub.ready"):
        yield
    errors = [line for line in (folder / "hub.log").read_text().splitlines() if "Traceback" in line]
    if errors:
        print(f"The hub logged {len(errors)} tracebacks.", file=sys.stderr)


@contextlib.contextmanager
def _process(command: list[str], log: Path, ready: str = "") -> Iterator[None]:
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        if ready:
            _wait_for(log, ready, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S_MAX)


def _wait_for(log: Path, words: str, process: subprocess.Popen[Any]) -> None:
    event = threading.Event()
    for _ in range(START_S_MAX * 10):
        if words in log.read_text():
            return
        if process.poll() is not None:
            break
        event.wait(0.1)
    raise SystemExit(f"{process.args!r} did not become ready:\n{log.read_text()}")


def _groups(suite: Path, parts: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each group; of those whose paths hold one of ``parts``, if any."""
    base, found = suite / "TP/NGSI-LD", dict[str, list[Path]]()
    for path in sorted(base.rglob("*.robot")):
        if not parts or any(part in str(path.relative_to(base)) for part in parts):
            found.setdefault(_group(path.relative_to(base)), []).append(path)
    if not found:
        raise SystemExit(f"no case lies below {' or '.join(parts)}")
    return found


def _group(path: Path) -> str:
    depth = 3 if path.parts[0] == "ContextInformation" else 2
    return "/".join(path.parts[:depth])


def _robot(python: Path, suite: Path, files: Sequence[Path], output: Path) -> None:
    """Run Robot in the copy; it looks for resources below the folder it is run in."""
    paths = ":".join(
        str(suite / one) for one in ("libraries", "libraries/robotframework-httpctrl/src")
    )
    subprocess.run(
        [
            str(python), "-m", "robot", "--outputdir", str(output), "--report", "NONE",
            "--console", "dotted", "--loglevel", "INFO", *map(str, files),
        ],
        cwd=suite,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
        timeout=RUN_S_MAX,
    )  # fmt: skip


def _cases(path: Path, suite: Path) -> Iterator[Case]:
    """Yield each case of Robot's XML."""
    base = suite / "TP/NGSI-LD"
    sources: list[str] = []
    for event, node in ElementTree.iterparse(path, ("start", "end")):
        if node.tag == "suite" and event == "start":
            sources.append(node.get("source") or (sources[-1] if sources else ""))
        elif node.tag == "suite":
            sources.pop()
        elif node.tag == "test" and event == "end":
            status = node.find("status")
            wrong = "" if status is None or status.get("status") == "PASS" else status.text or "?"
            yield Case(_group(Path(sources[-1]).relative_to(base)), node.get("name", ""), wrong)


def _print(cases: Sequence[Case], *, failing: bool) -> None:
    every = Counter(case.group for case in cases)
    passed = Counter(case.group for case in cases if not case.wrong)
    width = max(map(len, every), default=0)
    for group in sorted(every):
        print(f"{group:{width}}  {passed[group]:5} of {every[group]:5}")
    total = sum(every.values())
    share = 100 * sum(passed.values()) / total if total else 0
    print(f"{'together':{width}}  {sum(passed.values()):5} of {total:5}  {share:.1f} %")
    for case in cases if failing else ():
        if case.wrong:
            print(f"- {case.group}: {case.name}: {' '.join(case.wrong.split())[:200]}")


if __name__ == "__main__":
    sys.exit(main())
