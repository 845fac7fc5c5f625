"""The demonstration from beginning to end: the hackathon's command three ways, and what really happened."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.cli.demonstration.calls import Call, calls, table
from oidproxy.cli.demonstration.downloads import Download, downloads
from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.cli.demonstration.undisturbed import run
from oidproxy.errors import ConfigError
from oidproxy.scope.parse import parse
from oidproxy.scope.url import auth_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCOPE = "keystone:cloud-1;glance:cloud-999"
CREATE = ("server", "create", "--image", "cirros", "--flavor", "m1.small")


@dataclass(frozen=True, slots=True)
class Act:
    """One way of giving the command its scope."""

    title: str
    arguments: tuple[str, ...]
    server: str
    auth_url: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The generated file that stands in for the cirros disk."""

    path: Path
    size: int
    sha256: str


def tell(folder: Path | None, *, image_mib: int, stay: bool) -> int:
    """Run the whole story. Returns 0 only if every part of it holds.

    Raises:
        ConfigError: something could not be set up; the message says what.
    """
    client = find_client()
    with _folder(folder) as place, _stopping_in_order():
        _say("Generating the file that stands in for the cirros disk …")
        image = generate(place / "cirros.img", image_mib)
        _say(f"  {image.size:,} bytes, sha256 {image.sha256}")
        lab = Embedded(place, images={"cloud-999": {"cirros": image.path}})
        _say("Starting two clouds that share nothing (cloud-1; cloud-999, which alone has cirros) …")
        try:
            lab.start_clouds()
            _say("Starting the proxy …")
            lab.start_proxy()
            _say(f"  it stands in front of both at {lab.places.gateway_url} and beside each of them")
            succeeded = all(play(act, lab, client, image) for act in acts(lab))
            _say(_verdict(succeeded))
            if stay:
                _stay(lab)
        finally:
            lab.stop()
    return 0 if succeeded else 1


def acts(lab: Embedded) -> tuple[Act, ...]:
    """The hackathon's command: as it was written then, with the scope first, and with no plugin at all."""
    scoped = auth_url(parse(SCOPE), lab.places.gateway_url)
    return (
        Act("the hackathon's command", (*CREATE, "--scope", f"{{{SCOPE}}}", "cirros1", "--wait"), "cirros1"),
        Act(
            "the scope before the command", ("--scope", f"<{SCOPE}>", *CREATE, "cirros2", "--wait"), "cirros2"
        ),
        Act("no plugin, a scoped auth URL", (*CREATE, "cirros3", "--wait"), "cirros3", scoped),
    )


def play(act: Act, lab: Embedded, client: Path, image: Image) -> bool:
    """Run one act, show its calls, and judge it."""
    _say(f"\n=== {act.title}\n")
    environment = lab.environment("cloud-1", auth_url=act.auth_url)
    if act.auth_url:
        _say(f"$ export OS_AUTH_URL='{act.auth_url}'")
    _say("$ openstack " + " ".join(map(_quoted, act.arguments)))
    start = lab.access_log.stat().st_size if lab.access_log.exists() else 0
    before = len(downloads(lab.data("cloud-1")))
    status = run_client(client, act.arguments, environment)
    time.sleep(1.0)  # the access log is written about twice a second
    brought = downloads(lab.data("cloud-1"))[before:]
    rows = calls(lab.access_log, start)
    _say(_table(rows, brought))
    problems = [f"the client ended with status {status}"] if status else []
    shown = show_status(client, act.server, lab.environment("cloud-1"))
    problems += judge(shown, image, brought, rows)
    for problem in problems:
        _say(f"FAILED: {problem}")
    return not problems


def judge(shown: str, image: Image, brought: Sequence[Download], rows: Sequence[Call]) -> Iterator[str]:
    """What is wrong with the outcome; nothing if all is well. `shown` is the server's status at its cloud."""
    if shown != "ACTIVE":
        yield f"the server is {shown or 'unknown'}, not ACTIVE"
    if not any(one.sha256 == image.sha256 and one.size == image.size for one in brought):
        yield "cloud-1's compute did not get the bytes that were uploaded to cloud-999"
    read = [row for row in rows if row.reads_image]
    if not any(row.cloud == "cloud-999" and row.status == 200 and row.size == image.size for row in read):
        yield "the image's bytes were not read from cloud-999"


def find_client() -> Path:
    """The real openstack client of this environment.

    Raises:
        ConfigError: there is none.
    """
    beside = Path(sys.executable).with_name("openstack")
    found = str(beside) if beside.exists() else shutil.which("openstack")
    if found is None:
        raise ConfigError(
            "the demo needs the openstack client; install it with: pip install 'oidproxy[server,osc]'"
        )
    return Path(found)


def run_client(client: Path, arguments: Sequence[str], environment: dict[str, str]) -> int:
    """Run the client with its own output on ours."""
    return run([str(client), *arguments], _clean(environment))[0]


def show_status(client: Path, server: str, environment: dict[str, str]) -> str:
    """What the home cloud itself says of a server."""
    command = [str(client), "server", "show", server, "-f", "value", "-c", "status"]
    return run(command, _clean(environment), capture=True)[1].strip()


def generate(path: Path, mebibytes: int) -> Image:
    """Write bytes that no compression and no lucky guess can reproduce."""
    chance = random.Random(os.urandom(16))  # noqa: S311 - no secret, only content
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mebibytes):
            block = chance.randbytes(1 << 20)
            digest.update(block)
            file.write(block)
    return Image(path, mebibytes << 20, digest.hexdigest())


def _clean(environment: dict[str, str]) -> dict[str, str]:
    """The variables of a user who has no other cloud configured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OIDPROXY_"))}
    return {**kept, **environment}


def _table(rows: Sequence[Call], brought: Sequence[Download]) -> str:
    notes: dict[int, str] = {}
    left = list(brought)
    for number, row in enumerate(rows):
        if row.reads_image and left:
            one = left.pop(0)
            notes[number] = f"the image: {one.size:,} bytes reached compute, sha256 {one.sha256}"
    return table(rows, notes)


def _verdict(succeeded: bool) -> str:
    if not succeeded:
        return "\nThe demonstration FAILED; see above."
    return (
        "\nEvery server runs in cloud-1, from bytes that only cloud-999 had; neither cloud was changed, "
        "and neither knows of the other."
    )


def _stay(lab: Embedded) -> None:
    _say("\nAll of it goes on until Ctrl-C. In another terminal:\n")
    for name, value in lab.environment("cloud-1").items():
        _say(f"  export {name}={_quoted(value)}")
    _say(f"\n  {find_client()} --scope '{SCOPE}' image list\n\nFiles: {lab.folder}")
    signal.pause()


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="oidproxy-demo-") as name:
        yield Path(name)


@contextmanager
def _stopping_in_order() -> Iterator[None]:
    """SIGTERM as Ctrl-C, so that whatever was started is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _quoted(word: str) -> str:
    return word if word.replace("-", "").replace("_", "").replace(".", "").isalnum() else f"'{word}'"


def _say(text: str) -> None:
    print(text, flush=True)
