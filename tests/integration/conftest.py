"""One embedded lab for a run of the integration tests: two clouds, the proxy, cirros at cloud-999 alone."""

from __future__ import annotations

import pytest

from oidproxy.cli.demo.embedded import Embedded
from oidproxy.cli.demo.story import Image, find_client, generate
from tests.integration.clients import Client


@pytest.fixture(scope="session")
def image(tmp_path_factory) -> Image:
    return generate(tmp_path_factory.mktemp("image") / "cirros.img", 4)


@pytest.fixture(scope="session")
def lab(tmp_path_factory, image):
    embedded = Embedded(
        tmp_path_factory.mktemp("lab"), images={"cloud-999": {"cirros": image.path}}, record=True
    )
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
def openstack(lab) -> Client:
    """The real client, signed in at cloud-1 as demo."""
    return Client(find_client(), lab.environment("cloud-1"))
