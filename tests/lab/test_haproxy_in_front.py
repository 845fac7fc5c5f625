"""HAProxy with the file of deploy/ in front of the proxy, with clouds of its own: scoped calls pass through.

It needs no lab but Debian's haproxy, which the lab installs.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import trustme

from oidproxy.cli.demonstration.downloads import downloads
from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.cli.demonstration.processes import Background
from oidproxy.cli.demonstration.story import find_client, generate
from tests.integration.clients import Client

HAPROXY = "/usr/sbin/haproxy"
FILE = Path(__file__).parents[2] / "deploy" / "haproxy" / "oidproxy.cfg"
NAME = "oidproxy.example"
SECONDS = 15.0
GLANCE_OF_THE_OTHER = {"X-Scope": "identity:cloud-1;image:cloud-999"}


class Front:
    """HAProxy with the file's addresses replaced by those of an embedded lab."""

    def __init__(self, embedded: Embedded, text: str) -> None:
        gateway = embedded.places.gateway
        self.host = gateway.rpartition(".")[0] + ".252"
        self.url = f"http://{self.host}:8888"
        self._file = embedded.folder / "haproxy.cfg"
        self._file.write_text(text.replace("127.0.2.254", gateway).replace("127.0.2.252", self.host))
        self._log = embedded.folder / "haproxy.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, once it says itself that its file is in order."""
        check = [HAPROXY, "-c", "-f", str(self._file)]
        checked = subprocess.run(check, capture_output=True, text=True, timeout=30, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([HAPROXY, "-db", "-f", str(self._file)], stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SECONDS)

    def log(self) -> str:
        return self._log.read_text()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        fields: dict[str, str] | None = None,
        source: str = "127.0.0.1",
        context: ssl.SSLContext | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        """One request from an address of its own: status, body, fields by lower-case name."""
        kind = (self.host, 8888), SECONDS, (source, 0)
        connection = _verified(*kind, context) if context else _plain(*kind)
        try:
            given = {"Content-Type": "application/json", **(fields or {})}
            connection.request(method, path, None if body is None else json.dumps(body), given)
            answer = connection.getresponse()
            return (
                answer.status,
                answer.read(),
                {name.lower(): value for name, value in answer.getheaders()},
            )
        finally:
            connection.close()

    def wait(self, status: int, context: ssl.SSLContext | None = None) -> None:
        """Until HAProxy answers a health check so."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                seen = self.ask("GET", "/healthcheck", context=context)[0]
            except OSError as error:
                seen = repr(error)
            if seen == status:
                return
            assert time.monotonic() < deadline, f"{seen} for {SECONDS} s:\n{self.log()}"
            time.sleep(0.1)


def _plain(address: tuple[str, int], seconds: float, source: tuple[str, int]) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address, timeout=seconds, source_address=source)


def _verified(
    address: tuple[str, int], seconds: float, source: tuple[str, int], context: ssl.SSLContext
) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(*address, timeout=seconds, source_address=source, context=context)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("image") / "cirros.img", 4)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, image):
    """As an operator has it who puts HAProxy in front on the same machine."""
    lab = Embedded(
        tmp_path_factory.mktemp("front"),
        images={"cloud-999": {"cirros": image.path}},
        more="trusted_proxies: [127.0.0.1]\n",
        record=True,
    )
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture(scope="module")
def front(embedded):
    haproxy = Front(embedded, FILE.read_text())
    haproxy.start()
    try:
        haproxy.wait(200)
        yield haproxy
    finally:
        haproxy.stop()


@pytest.fixture(scope="module")
def openstack(embedded, front, tmp_path_factory) -> Client:
    """The real client, whose auth URL is HAProxy's."""
    environment = embedded.environment("cloud-1", auth_url=f"{front.url}/identity/v3")
    return Client(find_client(), environment, tmp_path_factory.mktemp("home"))


def sign_in(front: Front, embedded: Embedded, **options) -> tuple[str, dict]:
    """A token of cloud-1's user demo, and what came with it."""
    account = embedded.account()
    user = {"name": account.user, "domain": {"id": "default"}, "password": account.password}
    project = {"name": account.project, "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    asked = {"auth": {"identity": identity, "scope": {"project": project}}}
    status, body, fields = front.ask("POST", "/identity/v3/auth/tokens", body=asked, **options)
    assert status == 201, body
    return fields["x-subject-token"], json.loads(body)["token"]


def addresses(token: dict) -> set[str]:
    """The beginnings of all URLs in a token's catalog."""
    urls = [endpoint["url"] for entry in token["catalog"] for endpoint in entry["endpoints"]]
    assert urls
    return {match[0] for url in urls if (match := re.match(r"https?://[^/]+", url))}


def test_the_hackathons_command_passes_through_haproxy(openstack, embedded, image):
    scope = "<keystone:cloud-1;glance:cloud-999>"
    options = ("--image", "cirros", "--flavor", "m1.small", "--nic", "none", "--wait")
    server = openstack.json("--scope", scope, "server", "create", *options, "fronted")
    assert server["status"] == "ACTIVE"
    assert image.sha256 in {one.sha256 for one in downloads(embedded.data("cloud-1"))}


def test_a_large_image_is_uploaded_through_haproxy(openstack, tmp_path):
    big = generate(tmp_path / "big.img", 48)
    kind = ("--disk-format", "raw", "--container-format", "bare", "--file", str(big.path))
    made = openstack.json("--scope", "glance:cloud-999", "image", "create", *kind, "big")
    assert made["size"] == 48 << 20
    back = tmp_path / "back.img"
    saved = openstack("--scope", "glance:cloud-999", "image", "save", "--file", str(back), made["id"])
    assert saved.status == 0, saved.err
    assert hashlib.sha256(back.read_bytes()).hexdigest() == big.sha256


def test_the_catalog_leads_to_haproxy_and_nowhere_else(front, embedded):
    assert addresses(sign_in(front, embedded)[1]) == {front.url}


def test_a_cloud_hears_the_clients_address_and_nothing_that_the_client_claims(front, embedded):
    token, _ = sign_in(front, embedded)
    client = front.host.rpartition(".")[0] + ".77"
    claimed = {"X-Forwarded-For": "192.0.2.66", "Forwarded": "for=192.0.2.66"}
    marked = f"marker-{time.monotonic_ns()}"
    status, body, _ = front.ask(
        "GET",
        f"/image/v2/images?name={marked}",
        fields={"X-Auth-Token": token, **GLANCE_OF_THE_OTHER, **claimed},
        source=client,
    )
    assert status == 200, body
    lines = map(json.loads, embedded.record("cloud-999").read_text().splitlines())
    [seen] = [line for line in lines if line["direction"] == "in" and marked in line["target"]]
    forwarded = {name.lower(): value for name, value in seen["headers"] if "forwarded" in name.lower()}
    assert forwarded == {"x-forwarded-for": f"{client}, 127.0.0.1"}


def test_haproxy_leaves_a_proxy_alone_that_is_gone_and_finds_it_again(front, embedded):
    embedded.stop_proxy()
    try:
        front.wait(503)
    finally:
        embedded.start_proxy()
    front.wait(200)
    assert "Server oidproxy/oidproxy-1 is DOWN" in front.log()
    assert sign_in(front, embedded)[0]


def test_of_two_proxies_one_can_be_stopped_without_a_request_that_fails(tmp_path):
    lab = Embedded(tmp_path / "lab")
    second = f"{lab.places.gateway}:8889"
    other = lab.folder / "second.yaml"
    other.write_text(re.sub(r"listeners:.*?local:", _only(second), lab.config.read_text(), flags=re.DOTALL))
    [line] = re.findall(r"^    server .*\n", FILE.read_text(), re.MULTILINE)
    more = line.replace("oidproxy-1", "oidproxy-2").replace("127.0.2.254:8888", second)
    front = Front(lab, FILE.read_text().replace(line, line + more))
    log = lab.folder / "second.log"
    log.write_bytes(b"")
    lab.start_proxy()
    spare = Background("the second proxy", ["serve", "--config", str(other)], log)
    try:
        spare.wait_ready()
        front.start()
        front.wait(200)
        before = _answers(front, 2.0)
        stopping = threading.Thread(target=lab.stop_proxy)
        stopping.start()
        during = _answers(front, 6.0)
        stopping.join()
        assert set(before) == {200}
        assert set(during) == {200}
        assert "Server oidproxy/oidproxy-1 is DOWN" in front.log()
    finally:
        front.stop()
        spare.stop()
        lab.stop()


def _only(bind: str) -> str:
    return f'listeners:\n  - {{bind: "{bind}"}}\nlocal:'


def _answers(front: Front, seconds: float) -> list[int]:
    """The status of requests one after the other, each on a connection of its own."""
    end = time.monotonic() + seconds
    found = []
    while time.monotonic() < end:
        found.append(front.ask("GET", "/.well-known/openstack/api")[0])
        time.sleep(0.005)
    return found


def with_tls(text: str) -> str:
    """The file with its lines for TLS, which stand there as comments, in place of those without."""
    kept = [line for line in text.splitlines() if not re.match(r"    (bind|server) ", line)]
    lines = [re.sub(r"^    #   (bind|server) ", r"    \1 ", line) for line in kept]
    assert lines != kept
    return "\n".join(lines) + "\n"


def test_with_tls_on_both_sides_the_catalog_says_https(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "oidproxy.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    lab = Embedded(tmp_path / "lab", more="trusted_proxies: [127.0.0.1]\n")
    plain = f'{{bind: "{lab.places.gateway}:8888"}}'
    pem = tmp_path / "oidproxy.pem"
    text = lab.config.read_text()
    assert plain in text
    lab.config.write_text(text.replace(plain, f"{plain[:-1]}, tls: {{cert: {pem}, key: {pem}}}}}"))
    front = Front(lab, with_tls(FILE.read_text()).replace("/etc/haproxy", str(tmp_path)))
    context = ssl.create_default_context()
    context.check_hostname = False  # It is asked by its address; the chain is verified.
    authority.configure_trust(context)
    lab.start()
    try:
        front.start()
        front.wait(200, context)
        token = sign_in(front, lab, fields={"Host": NAME}, context=context)[1]
        assert addresses(token) == {f"https://{NAME}"}
    finally:
        front.stop()
        lab.stop()
