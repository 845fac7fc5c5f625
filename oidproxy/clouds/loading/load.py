"""Reading a configuration from its file: the one way from a path to a registry."""

from __future__ import annotations

import gc
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds import document
from oidproxy.clouds.asking import Ask, asks, signing_in
from oidproxy.clouds.build import Found, build
from oidproxy.clouds.catalog import Learned
from oidproxy.clouds.config import Config, decode
from oidproxy.clouds.credentials import Credential, credential
from oidproxy.clouds.exchanges import check_keystones
from oidproxy.clouds.findings import Findings, Notice, together
from oidproxy.clouds.loading import asked
from oidproxy.clouds.loading.certificates import authorities, listener_tls
from oidproxy.clouds.loading.ours import Ours
from oidproxy.clouds.loading.references import References
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from oidproxy.clouds.loading.entries import Entry
    from oidproxy.clouds.registry import ListenerTls, Registry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what an operator should know of it."""

    registry: Registry
    notices: tuple[Notice, ...] = ()
    unlearned: tuple[Notice, ...] = ()
    """Clouds that did not say what they have: they answer 503 until a reload finds them."""


def load(path: str | Path, *, previous: Registry | None = None) -> Registry:
    """The registry of a configuration file; notices go to the log.

    A cloud that cannot be asked for its endpoints now keeps those that it has in `previous`, or is there
    without any (`Cloud.unlearned` says why): one cloud's failure stops no other. Blocks while clouds are
    asked.

    Raises ConfigError, which carries everything that is wrong with the file.
    """
    loaded = read(path, previous=previous)
    for notice in (*loaded.notices, *loaded.unlearned):
        log.warning("%s", notice)
    return loaded.registry


def read(
    path: str | Path,
    *,
    previous: Registry | None = None,
    environ: Mapping[str, str] | None = None,
    learn: asked.Learn = asked.learn,
    read_entries: asked.Read = asked.read_entries,
) -> Loaded:
    """The same, with the notices. Raises ConfigError."""
    own = os.environ if environ is None else environ
    return _Reading(Path(path), own, learn, read_entries, previous).loaded()


class _Reading:
    """One reading of one file."""

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        learn: asked.Learn,
        read_entries: asked.Read,
        previous: Registry | None,
    ) -> None:
        self.folder = path.parent
        self.learn = learn
        self.read_entries = read_entries
        self.credentials: Mapping[str, Credential] = {}
        self.previous = previous
        references = References(path.parent, environ)
        with _no_collection():
            self.document = document.parse(_text(path), file=str(path), expand=references.expand)

    def loaded(self) -> Loaded:
        """Everything is checked before any cloud is asked: nobody is asked on behalf of a wrong file."""
        with _no_collection():
            findings = Findings(self.document)
            config = decode(findings)
            entries = self.entries(config, findings)
            questions = tuple(map(self.resolved, asks(config, entries)))
            expected = {
                ask.cloud: Learned(ask.cloud, "not asked yet", ask.auth_url or "") for ask in questions
            }
            registry = self.registry(config, entries, expected, findings)
        self.credentials = self.sign_ins(config, registry, findings)
        if self.credentials:
            registry = replace(registry, credentials=MappingProxyType(dict(self.credentials)))
        if not questions:
            return Loaded(registry, tuple(findings.notices))
        answers = self.learn(str(self.clouds_yaml(config)), questions, asked.PATIENCE)
        with _no_collection():
            findings = Findings(self.document)
            registry = self.registry(config, entries, answers, findings)
            return Loaded(registry, tuple(findings.notices), tuple(self.unlearned(answers, registry)))

    def registry(
        self, config: Config, entries: Sequence[str], learned: Mapping[str, Learned], findings: Findings
    ) -> Registry:
        before = self.previous.clouds if self.previous is not None else {}
        certificates = self.certificates(config, learned, findings)
        tls = dict(self.tls(config, findings))
        found = Found(entries, learned, certificates, tls, self.credentials, before)
        registry = build(config, found, findings)
        check_loops(registry, findings)
        findings.raise_errors()
        return registry

    def entries(self, config: Config, findings: Findings) -> Sequence[str]:
        """The names of clouds.yaml's entries (and of secure.yaml's beside it), in their order.

        Read here as YAML alone, for the sake of good errors; what an entry means is openstacksdk's business.
        """
        if config.clouds_yaml is None:
            return ()
        path = self.clouds_yaml(config)
        beside = path.with_name("secure.yaml")
        try:
            found = [*_entries(path), *(_entries(beside) if beside.exists() else ())]
        except OSError as error:
            findings.wrong(("clouds_yaml",), f"{path} cannot be read: {error.strerror}")
            findings.raise_errors()
            raise
        return tuple(dict.fromkeys(found))

    def sign_ins(self, config: Config, registry: Registry, findings: Findings) -> Mapping[str, Credential]:
        """Entry -> what signs in with it, for every entry that `mapped` and `service_accounts` name."""
        names = signing_in(config)
        if not names:
            return {}
        found: dict[str, Credential] = {}
        read = self.read_entries(str(self.clouds_yaml(config)), names)
        auth_urls = {name: entry.auth.get("auth_url", "") for name, entry in read.items()}
        check_keystones(registry.clouds, auth_urls, findings)
        for name, entry in read.items():
            try:
                found[name] = _credential(entry)
            except ValueError as error:
                findings.wrong(("clouds_yaml",), f"entry {name!r} cannot be signed in with: {error}")
        findings.raise_errors()
        return found

    def clouds_yaml(self, config: Config) -> Path:
        return self.folder / Path(config.clouds_yaml or "").expanduser()

    def resolved(self, ask: Ask) -> Ask:
        """The question with the full path of its authorities: the child has a folder of its own."""
        if ask.cacert is None:
            return ask
        cacert = str(self.folder / Path(ask.cacert).expanduser())
        return Ask(ask.cloud, ask.entry, ask.auth_url, cacert, ask.insecure)

    def certificates(
        self, config: Config, learned: Mapping[str, Learned], findings: Findings
    ) -> Mapping[str, str]:
        """Cloud -> its authorities: its own, else its entry's of clouds.yaml. Each file is read once."""
        named = {name: answer.cacert for name, answer in learned.items() if answer.cacert}
        named |= {name: keys.cacert for name, keys in config.clouds.items() if keys.cacert}
        pem: dict[str, str | None] = {}
        for name, text in named.items():
            if text not in pem:
                pem[text] = findings.read(("clouds", name, "cacert"), self.authorities, text)
        return {name: found for name, text in named.items() if (found := pem[text])}

    def authorities(self, text: str) -> str:
        return authorities(text, self.folder)

    def tls(self, config: Config, findings: Findings) -> Iterator[tuple[int, ListenerTls]]:
        """Position of a listener -> its certificate and key, by their full paths."""
        for position, keys in enumerate(config.listeners or ()):
            if keys.tls is not None:
                try:
                    yield position, listener_tls(keys.tls.cert, keys.tls.key, self.folder)
                except ValueError as error:
                    findings.wrong(("listeners", position, "tls"), str(error))

    def unlearned(self, answers: Mapping[str, Learned], registry: Registry) -> Iterator[Notice]:
        for name, answer in answers.items():
            if answer.error:
                kept = "" if registry.clouds[name].unlearned else "; those of before are kept"
                place = self.document.place(("clouds", name), key=True)
                message = f"{name}: its endpoints could not be learned: {answer.error}{kept}"
                yield Notice(message, self.document.file, place)


def check_loops(registry: Registry, findings: Findings) -> None:
    """No endpoint that the proxy serves may be one of its own listeners."""
    ours = Ours(registry.listeners)
    for cloud in registry.clouds.values():
        for endpoint in cloud.endpoints:
            if endpoint.interface == "public" and ours.has(endpoint):
                what = f"the {endpoint.source} {endpoint.service_type} endpoint of {cloud.name}"
                message = f"{what}, {endpoint.base}, is one of our own listeners"
                findings.wrong(("clouds", cloud.name), message, key=True)


def _credential(entry: Entry) -> Credential:
    if entry.error:
        raise ValueError(entry.error)
    return credential(entry.name, entry.auth_type, entry.auth)


def _entries(path: Path) -> Sequence[str]:
    """The names under `clouds:`. Raises ConfigError, with its place in this file, and OSError."""
    found = document.parse(path.read_text("utf-8"), file=str(path))
    if found.problems:
        raise together(found.problems)
    clouds = found.data.get("clouds") if isinstance(found.data, dict) else None
    if not isinstance(clouds, dict):
        raise ConfigError("expected a mapping with the key clouds", file=str(path))
    return tuple(clouds)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("not a text in UTF-8", file=str(path)) from None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold up the cycle collector: a large file's nodes are no garbage, and it spends half the time on
    them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
