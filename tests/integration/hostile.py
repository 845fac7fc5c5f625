"""A cloud whose operator means harm: it answers what it is told to, and writes down what it gets."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

ADMITS = "    admits: {cloud-1: {roles: [member, reader]}}\n"
HEADERS = {"Content-Type": "application/json"}


class _Server(ThreadingHTTPServer):
    """Clients that go away in the middle of an answer are expected."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing is said of them."""


class Hostile:
    """All services of one cloud at one port; as a context manager it ends with its block."""

    def __init__(self, name: str, host: str) -> None:
        self.name = name
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """Path without query -> what is answered there; 404 elsewhere."""
        self.received: list[str] = []
        """Request lines and fields, one text for each request."""
        self._server = _Server((host, 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}"

    @property
    def configuration(self) -> str:
        """As an operator who was talked into it would write it, behind the other clouds."""
        services = "".join(
            f'      {service}: "{self.url}/{service}{suffix}"\n' for service, suffix in SUFFIXES.items()
        )
        return f'  {self.name}:\n    auth_url: "{self.url}/identity/v3"\n    endpoints:\n{services}{ADMITS}'

    def answer(
        self, path: str, body: Any = b"", status: int = 200, fields: dict[str, str] | None = None
    ) -> None:
        """From now on this is what is answered there."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, HEADERS if fields is None else fields, data)

    def behave(self) -> None:
        """From now on nothing is answered but what clients ask first: which versions there are."""
        self.answers.clear()
        for service, version in VERSIONS.items():
            link = {"rel": "self", "href": f"{self.url}/{service}/{version.partition('.')[0]}/"}
            document = {"id": version, "status": "CURRENT", "links": [link]}
            for path in (f"/{service}", f"/{service}/"):
                self.answer(path, {"versions": [document]}, 300)
        self.answer("/compute/v2.1", {"version": {"id": "v2.1", "status": "CURRENT", "links": []}})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hostile.received.append(f"{self.requestline}\n{self.headers}")
                path = self.path.partition("?")[0]
                status, fields, body = hostile.answers.get(path, (404, HEADERS, b"{}"))
                self.send_response_only(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the base class names them

            def log_message(self, *_: object) -> None:
                """Nowhere."""

        return Handler


VERSIONS = {"image": "v2.9", "network": "v2.0", "compute": "v2.1"}

SUFFIXES = {
    "identity": "/v3",
    "image": "",
    "compute": "/v2.1",
    "network": "",
    "load-balancer": "",
    "object-store": "/v1/AUTH_%(project_id)s",
}
