"""What clouds answer: 1.5 KB of JSON with links to the cloud itself, below 20 header fields."""

from __future__ import annotations

import json

from tests.bench.layout import SERVICES, address

BODY = 1500
"""Bytes of each answer's body."""

FIELDS = {
    "X-OpenStack-Request-ID": "req-7d6c2c7e-9f5e-4b5a-8f2c-3a1b0c9d8e7f",
    "X-Compute-Request-ID": "req-7d6c2c7e-9f5e-4b5a-8f2c-3a1b0c9d8e7f",
    "OpenStack-API-Version": "compute 2.96",
    "X-OpenStack-Nova-API-Version": "2.96",
    "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=0",
    "Content-Language": "en",
    "ETag": '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
}
"""Beside the five that nginx writes itself: Server, Date, Content-Type, Content-Length, Connection."""

_ID = "8e2f4c1a-6b7d-4e5f-9a0b-1c2d3e4f5a6b"


def body(number: int, service: str) -> str:
    """What this service of this cloud answers to everything: always as many bytes."""
    document = _document(f"http://{address(number)}:{SERVICES[service]}", service)
    missing = BODY - len(_written(document))
    if missing < 0:
        raise ValueError(f"the answer of {service} is too long already")
    document[next(iter(document))]["description"] = "x" * missing
    return _written(document)


def _written(document: dict) -> str:
    return json.dumps(document)


def _document(url: str, service: str) -> dict:
    name, path = {
        "compute": ("server", "/v2.1/servers/"),
        "image": ("image", "/v2/images/"),
        "network": ("port", "/v2.0/ports/"),
        "block-storage": ("volume", "/v3/volumes/"),
    }.get(service, ("resource", "/v1/resources/"))
    inside: dict = {"description": "", "id": _ID, "name": "one of many", "status": "ACTIVE"}
    if service in {"compute", "block-storage"}:
        inside["links"] = [
            {"rel": "self", "href": f"{url}{path}{_ID}"},
            {"rel": "bookmark", "href": f"{url}/{name}s/{_ID}"},
        ]
    if service == "compute":
        inside["flavor"] = {"id": "1", "links": [{"rel": "bookmark", "href": f"{url}/flavors/1"}]}
        inside["image"] = {"id": _ID, "links": [{"rel": "bookmark", "href": f"{url}/images/{_ID}"}]}
    inside["metadata"] = {f"key-{number}": f"value-{number}" for number in range(12)}
    return {name: inside}
