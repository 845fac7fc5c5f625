"""Certificates of listeners and of clouds are tried when the configuration is read."""

from __future__ import annotations

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

CLOUD = "clouds: {one: {upstream: 127.0.9.1}}\n"
LISTENER = (
    CLOUD
    + "listeners:\n  - {bind: '127.0.0.1:1'}\n  - {bind: '127.0.0.1:2', tls: {cert: c.pem, key: k.pem}}\n"
)


@pytest.fixture(scope="module")
def pems():
    authority = trustme.CA()
    one, other = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.2")
    key = load_pem_private_key(one.private_key_pem.bytes(), None)
    return {
        "ca": authority.cert_pem.bytes(),
        "cert": one.cert_chain_pems[0].bytes(),
        "key": one.private_key_pem.bytes(),
        "other": other.private_key_pem.bytes(),
        "locked": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "junk": b"no PEM at all",
        "bytes": b"\xff\xfe",
    }


def test_a_listener_with_a_certificate(loaded, pems, tmp_path):
    first, second = loaded(LISTENER, {"c.pem": pems["cert"], "k.pem": pems["key"]}).registry.listeners
    assert (first.scheme, second.scheme) == ("http", "https")
    assert (second.tls.cert, second.tls.key) == (str(tmp_path / "c.pem"), str(tmp_path / "k.pem"))


@pytest.mark.parametrize(
    ("cert", "key", "message"),
    [
        ("cert", "other", "these are no certificate and its key, in PEM form and not encrypted"),
        ("cert", "locked", "these are no certificate and its key, in PEM form and not encrypted"),
        ("junk", "key", "these are no certificate and its key, in PEM form and not encrypted"),
        ("cert", "bytes", "k.pem is no file in PEM form"),
        ("cert", None, "k.pem cannot be read: No such file or directory"),
    ],
)
def test_a_listeners_certificate_and_key_must_fit(cert, key, message, errors, pems):
    files = {"c.pem": pems[cert]} | ({"k.pem": pems[key]} if key else {})
    assert errors(LISTENER, files) == [f"oidproxy.yaml:4:32: {message}"]


def test_the_authorities_of_a_cloud_are_read(loaded, pems):
    text = "clouds: {one: {upstream: 127.0.9.1, cacert: ca.pem}}"
    assert loaded(text, {"ca.pem": pems["ca"]}).registry.clouds["one"].cacert == pems["ca"].decode()


def test_the_authorities_may_stand_in_the_configuration_itself(loaded, pems):
    text = "clouds: {one: {upstream: 127.0.9.1, cacert: '${file:ca.pem}'}}"
    assert loaded(text, {"ca.pem": pems["ca"]}).registry.clouds["one"].cacert == pems["ca"].decode().rstrip(
        "\n"
    )


def test_without_any_the_systems_authorities_count(loaded):
    assert loaded(CLOUD).registry.clouds["one"].cacert is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("junk", "this holds no certificate in PEM form"),
        ("key", "this holds no certificate in PEM form"),
        (None, "ca.pem cannot be read: No such file or directory"),
    ],
)
def test_authorities_that_are_none(content, message, errors, pems):
    text = "clouds: {one: {upstream: 127.0.9.1, cacert: ca.pem}}"
    files = {"ca.pem": pems[content]} if content else {}
    assert errors(text, files) == [f"oidproxy.yaml:1:45: {message}"]
