"""Certificates that a configuration names: read and tried, so that a bad one is found before it is needed."""

from __future__ import annotations

import ssl
from pathlib import Path

from oidproxy.clouds.registry import ListenerTls


def authorities(text: str, folder: Path) -> str:
    """The PEM text that a `cacert` names, or is. Raises ValueError if it is none."""
    pem = text if text.startswith("-----BEGIN") else _read(folder / Path(text).expanduser())
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise ValueError("this holds no certificate in PEM form") from None
    return pem


def listener_tls(cert: str, key: str, folder: Path) -> ListenerTls:
    """The two files by their full paths. Raises ValueError if they cannot serve."""
    chain, private = folder / Path(cert).expanduser(), folder / Path(key).expanduser()
    for path in (chain, private):
        _read(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, private, password=_refuse_password)
    except (ssl.SSLError, ValueError):
        raise ValueError("these are no certificate and its key, in PEM form and not encrypted") from None
    return ListenerTls(str(chain), str(private))


def _refuse_password() -> str:
    # Without this, OpenSSL asks for it on the terminal and waits.
    raise ValueError("an encrypted key")


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no file in PEM form") from None
