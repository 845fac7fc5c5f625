"""No secret that OpenStack's APIs carry in bodies gets through."""

from __future__ import annotations

import base64
import json

import pytest

from oidproxy.trace.hiding import READ_AT_MOST, hidden, is_json, read

SECRET = "hunter2-Zq"
BASE64 = base64.b64encode(b"#!/bin/sh\necho hunter2" * 3).decode()
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE64}\n-----END RSA PRIVATE KEY-----\n"
TOKEN = "gAAAAABm" + "k" * 100

BODIES = {
    "password": {"auth": {"identity": {"password": {"user": {"name": "demo", "password": SECRET}}}}},
    "a token": {"auth": {"identity": {"methods": ["token"], "token": {"id": SECRET}}}},
    "an application credential": {
        "auth": {"identity": {"application_credential": {"id": "x", "secret": SECRET}}}
    },
    "totp": {"auth": {"identity": {"totp": {"user": {"id": "u", "passcode": SECRET}}}}},
    "a new password": {"user": {"password": SECRET, "original_password": SECRET}},
    "a server's password": {"server": {"name": "s", "adminPass": SECRET}},
    "user data": {"server": {"user_data": BASE64}},
    "personality": {"server": {"personality": [{"path": "/etc/banner", "contents": BASE64}]}},
    "rescue": {"rescue": {"adminPass": SECRET, "rescue_image_ref": "x"}},
    "rebuild": {"rebuild": {"imageRef": "x", "user_data": BASE64, "adminPass": SECRET}},
    "change of a password": {"changePassword": {"adminPass": SECRET}},
    "a made keypair": {"keypair": {"name": "k", "private_key": KEY}},
    "a server's own password": {"password": SECRET},
    "console output": {"output": f"login: root password: {SECRET}"},
    "a console": {"remote_console": {"url": f"http://x/vnc?token={SECRET}"}},
    "a console of before": {
        "console": {"type": "novnc", "url": f"http://x/vnc_auto.html?path=%3Ftoken%3D{SECRET}"}
    },
    "a secret": {"name": "s", "payload": SECRET, "payload_content_type": "text/plain"},
    "a certificate": {"certificate": KEY, "private_key_passphrase": SECRET},
    "an attachment": {"attachment": {"connection_info": {"auth_username": "u", "auth_password": SECRET}}},
    "a credential": {"credential": {"blob": json.dumps({"access": "a", "secret": SECRET}), "type": "ec2"}},
    "ec2": {"credential": {"access": "a", "secret": SECRET}},
    "vpn": {"ipsec_site_connection": {"psk": SECRET}},
    "an application's metadata": {"server": {"metadata": {"db_password": SECRET, "api_token": SECRET}}},
    "a share's access": {"access": {"access_key": SECRET}},
    "a share's security service": {"security_service": {"password": SECRET}},
    "heat's parameters": {"parameters": {"admin_password": SECRET, "ssh_key_contents": KEY}},
    "a node": {"driver_info": {"ipmi_password": SECRET, "snmp_auth_key": SECRET, "ssh_key_filename": "x"}},
    "a config drive": {"configdrive": BASE64, "config_drive_data": BASE64},
    "magnum": {"csr": KEY, "pem": KEY},
    "a kubeconfig": {"kubeconfig": BASE64},
    "a temporary key": {"temp-url-key": SECRET},
    "a token in a list": {"things": [[{"token": {"value": SECRET}}]]},
    "a token anywhere": {"description": f"use {TOKEN} for it"},
    "a URL with one": {"location": f"swift+https://user:{SECRET}@store/x"},
    "saml": {"assertion": SECRET, "SAMLResponse": SECRET},
    "oauth": {"oauth_verifier": SECRET, "oauth_signature": SECRET},
    "a patch": [{"op": "add", "path": "/x", "value": KEY}],
}


@pytest.mark.parametrize("name", BODIES)
def test_no_secret_gets_through(name):
    text = json.dumps(hidden(BODIES[name]))
    for secret in (SECRET, BASE64, TOKEN, BASE64[:40]):
        assert secret not in text, text
    assert "PRIVATE KEY" not in text


ORDINARY = {
    "a server": {
        "server": {"name": "s", "imageRef": "9f1c", "flavorRef": "1", "key_name": "mine", "min_count": 1}
    },
    "a keypair's name": {"server": {"key_name": "mine"}},
    "an image": {
        "name": "cirros",
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 0,
        "tags": ["x"],
    },
    "a network": {"network": {"name": "n", "admin_state_up": True, "mtu": 1450}},
    "a volume": {"volume": {"size": 1, "name": None, "encrypted": False}},
    "a project": {"auth": {"scope": {"project": {"name": "demo", "domain": {"name": "Default"}}}}},
    "how one signs in": {
        "auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo"}}}}
    },
    "when a token ends": {"token": {"expires_at": "2026-01-01T00:00:00Z"}},
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_a_replay_needs_stays(name):
    assert hidden(ORDINARY[name]) == ORDINARY[name]


def test_what_is_hidden_keeps_its_place():
    body = hidden({"server": {"adminPass": SECRET, "name": "s"}})
    assert body["server"]["name"] == "s"
    assert body["server"]["adminPass"].startswith("{SHA256}")


def test_a_document_of_any_depth_is_survived():
    document: object = SECRET
    for _ in range(5000):
        document = {"a": document}
    assert SECRET not in json.dumps(hidden(document))


def test_only_json_of_some_size_is_read():
    assert read(b'{"a": 1}') == {"a": 1}
    assert read(b"\x00\x01") is None
    assert read(b"") is None
    assert read(b"[" * 100_000) is None
    assert read(b'"' + b"x" * READ_AT_MOST + b'"') is None


def test_what_says_that_it_is_json():
    assert is_json("application/json; charset=utf-8")
    assert is_json(b"application/openstack-images-v2.1-json-patch")
    assert not is_json("application/octet-stream")
