"""A recording proxy that answers just enough of OpenStack, more such clouds, and the real client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

with warnings.catch_warnings():
    # osc-lib deprecates a module of its own that it imports itself; afterwards it is loaded.
    warnings.simplefilter("ignore", DeprecationWarning)
    import osc_lib  # noqa: F401

CLOUDS = {
    "clouds": [
        {
            "name": "cloud-1",
            "regions": ["RegionOne"],
            "groups": ["fr"],
            "services": ["compute", "image"],
            "home": True,
            "more": "of a later version",
        },
        {"name": "New York", "regions": ["east", "west"], "groups": [], "services": ["image"], "home": False},
    ]
}


@dataclass
class Seen:
    """One request as it arrived. Values are the bytes of the wire, one character each."""

    method: str
    path: str
    headers: dict[str, str]
    carried: list[str] = field(default_factory=list)
    """Each field X-Scope-Tokens."""
    body: bytes = b""

    @property
    def scope(self) -> bytes | None:
        value = self.headers.get("x-scope")
        return None if value is None else value.encode("latin-1")


@dataclass
class Recorder:
    """A server and what reached it."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    pages: dict[str, tuple[int, dict[str, str], object]] = field(default_factory=dict)
    """Answers that stand in for the usual ones: path -> status, headers, JSON."""
    by_query: dict[tuple[str, str], tuple[int, dict[str, str], object]] = field(default_factory=dict)
    """The same for a page whose parameter `query` is this one."""
    token: str = "t0ken"
    """What signing in gives."""
    image_at: str = ""
    """Where the catalog says that images are, if not here."""

    def entry(self, username: str = "alice", password: str = "secret") -> dict[str, object]:
        """An entry of clouds.yaml for this cloud."""
        return {
            "auth": {
                "auth_url": f"{self.url}/identity/v3",
                "username": username,
                "password": password,
                "project_name": "demo",
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": "RegionOne",
            "identity_api_version": "3",
        }

    @property
    def scopes(self) -> set[bytes | None]:
        return {request.scope for request in self.seen}

    def requests(self) -> set[str]:
        return {f"{request.method} {urlsplit(request.path).path}" for request in self.seen}

    def query(self, path: str) -> dict[str, list[str]]:
        [found] = [request for request in self.seen if urlsplit(request.path).path == path]
        return parse_qs(urlsplit(found.path).query)

    def answer(self, method: str, path: str) -> tuple[int, dict[str, str], object]:
        query = parse_qs(urlsplit(path).query).get("query", [""])[0]
        path = urlsplit(path).path
        if (path, query) in self.by_query:
            return self.by_query[path, query]
        if path in self.pages:
            return self.pages[path]
        prefix = "/".join(path.split("/")[:3]) if path.startswith("/s/") else ""
        found = self._documents(prefix).get((method, path.removeprefix(prefix).rstrip("/")))
        return found or (404, {}, {"error": {"code": 404, "title": "Not Found", "message": "unknown"}})

    def _documents(self, prefix: str) -> dict[tuple[str, str], tuple[int, dict[str, str], object]]:
        base = self.url + prefix
        identity, image = f"{base}/identity", f"{base}/image"
        identity_v3 = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{identity}/v3/"}],
        }
        image_v2 = {"id": "v2.9", "status": "CURRENT", "links": [{"rel": "self", "href": f"{image}/v2/"}]}
        return {
            ("GET", "/identity"): (300, {}, {"versions": {"values": [identity_v3]}}),
            ("GET", "/identity/v3"): (200, {}, {"version": identity_v3}),
            ("POST", "/identity/v3/auth/tokens"): (201, {"X-Subject-Token": self.token}, self._token(base)),
            ("GET", "/image"): (300, {}, {"versions": [image_v2]}),
            ("GET", "/image/v2/images"): (200, {}, {"images": []}),
            ("GET", "/.well-known/oidproxy/clouds"): (200, {}, CLOUDS),
        }

    def _token(self, base: str) -> object:
        services = [("identity", base + "/identity/v3"), ("image", (self.image_at or base) + "/image")]
        catalog = [
            {
                "id": kind,
                "type": kind,
                "name": kind,
                "endpoints": [
                    {
                        "id": kind,
                        "interface": "public",
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "url": url,
                    }
                ],
            }
            for kind, url in services
        ]
        default = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": "u1", "name": "alice", "domain": default},
                "project": {"id": "p1", "name": "demo", "domain": default},
                "roles": [{"id": "r1", "name": "member"}],
                "catalog": catalog,
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": "2126-01-01T00:00:00.000000Z",
                "audit_ids": ["a"],
            }
        }


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            carried = self.headers.get_all("X-Scope-Tokens", [])
            recorder.seen.append(Seen(self.command, self.path, headers, carried, body))
            status, fields, document = recorder.answer(self.command, self.path)
            body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **fields}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_HEAD = handle_any  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def served(recorder: Recorder):
    """The recorder on a free port of the loopback address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(recorder))
    server.daemon_threads = True
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def proxy():
    """A recording proxy."""
    with served(Recorder()) as recorder:
        yield recorder


@pytest.fixture
def cloud():
    """More clouds of the same make: called with the token that signing in there gives."""
    with ExitStack() as stack:
        yield lambda token: stack.enter_context(served(Recorder(token=token)))


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """A home folder without settings; shared, since the client keeps a cache of its plugins there."""
    return tmp_path_factory.mktemp("home")


class Client:
    """The real clients, as a user with one cloud in clouds.yaml runs them."""

    def __init__(self, recorder: Recorder, home: Path, folder: Path) -> None:
        self.recorder = recorder
        self.folder = folder
        self.cloud = recorder.entry()
        self.others: dict[str, dict[str, object]] = {}
        """Further entries of clouds.yaml."""
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "OS_CLOUD": "lab",
            "PYTHONPATH": str(folder),
        }

    def openstack(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run openstackclient."""
        return self._run(str(Path(sys.executable).parent / "openstack"), *words)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run a program that uses openstacksdk."""
        return self._run(sys.executable, "-c", code)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "clouds.yaml").write_text(
            yaml.safe_dump({"clouds": {"lab": self.cloud, **self.others}})
        )
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def client(proxy, home, tmp_path) -> Client:
    """The real clients with a cloud whose auth URL is the recording proxy."""
    return Client(proxy, home, tmp_path)
