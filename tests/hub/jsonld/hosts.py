"""A host of @contexts on loopback, for tests of what is fetched."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Host:
    """Serves what ``answers`` has by path: status, headers, body; counts what was asked."""

    def __init__(self, port: int) -> None:
        self.name = f"127.0.0.1:{port}"
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def url(self, path: str) -> str:
        return f"http://{self.name}{path}"

    def serve(self, path: str, document: Any, **headers: str) -> str:
        """Serve an @context; return its URL."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = 200, named, json.dumps({"@context": document}).encode()
        return self.url(path)


@contextmanager
def host(port: int = 0) -> Iterator[Host]:
    """Run a host on a free port, or on one that was free before."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            served.hold.wait(30)
            status, headers, body = served.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    served = Host(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        served.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
