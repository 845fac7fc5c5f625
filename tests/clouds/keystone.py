"""A tiny Keystone on a loopback address: version document, password authentication, a catalog."""

from __future__ import annotations

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

PASSWORD = "correct horse"
PROJECT = "3f2a9b1c3f2a9b1c3f2a9b1c3f2a9b1c"


def random_address() -> str:
    """Somewhere in 127/8, so that runs side by side do not meet."""
    return ".".join(["127", *(str(random.randint(10, 250)) for _ in range(3))])


class Keystone:
    """Serves until it is closed; `requests` are the method, path and headers of everything it was asked."""

    def __init__(
        self, *, address: str | None = None, tls: ssl.SSLContext | None = None, region: str = "RegionOne"
    ):
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.region = region
        self.silent = threading.Event()
        self.ended = threading.Event()
        address = address or random_address()
        self.server = ThreadingHTTPServer((address, 0), handler(self))
        self.server.handle_error = lambda *_: None
        self.scheme = "https" if tls else "http"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.base = f"{self.scheme}://{address}:{self.server.server_address[1]}"
        self.auth_url = f"{self.base}/identity/v3"
        self.catalog = self.usual_catalog()
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def usual_catalog(self):
        urls = {
            ("identity", "keystone"): f"{self.base}/identity/v3",
            ("image", "glance"): f"{self.base}/image",
            ("volumev3", "cinderv3"): f"{self.base}/volume/v3/{PROJECT}",
        }
        return [
            {
                "type": kind,
                "name": name,
                "id": "x",
                "endpoints": [self.endpoint(url), self.endpoint(url, "internal")],
            }
            for (kind, name), url in urls.items()
        ]

    def endpoint(self, url, interface="public"):
        return {
            "url": url,
            "interface": interface,
            "region": self.region,
            "region_id": self.region,
            "id": "y",
        }

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def handler(keystone):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.note()
            links = [{"rel": "self", "href": f"{keystone.auth_url}/"}]
            version = {"id": "v3.14", "status": "stable", "links": links, "media-types": []}
            self.answer(
                200, {"version": version} if "v3" in self.path else {"versions": {"values": [version]}}
            )

        def do_POST(self):
            self.note()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
                message = "The request you have made requires authentication."
                self.answer(401, {"error": {"code": 401, "title": "Unauthorized", "message": message}})
                return
            token = {
                "methods": ["password"],
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "user": {"id": "u", "name": "reader", "domain": {"id": "default", "name": "Default"}},
                "audit_ids": ["a"],
            }
            if "scope" in body["auth"]:
                project = {"id": PROJECT, "name": "demo", "domain": {"id": "default", "name": "Default"}}
                token |= {"project": project, "roles": [], "catalog": keystone.catalog}
            self.answer(201, {"token": token}, {"X-Subject-Token": "gAAAA-a-token"})

        def note(self):
            keystone.requests.append((self.command, self.path, dict(self.headers)))
            if keystone.silent.is_set():
                # Longer than anybody waits; whoever has gone is not answered.
                keystone.ended.wait(60)
                self.close_connection = True
                raise ConnectionAbortedError

        def answer(self, status, content, headers=()):
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
