"""One embedded lab for a run of the integration tests: two clouds, the proxy, cirros at cloud-999 alone."""

from __future__ import annotations

import pytest

from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.cli.demonstration.story import Image, find_client, generate
from tests.integration.clients import Client
from tests.integration.recordings import Recordings
from tests.integration.sdk import opened


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


@pytest.fixture(scope="session")
def recordings(lab) -> Recordings:
    return Recordings(lab)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The client's home folder; one for all, since it keeps a list of its plugins there."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def openstack(lab, home) -> Client:
    """The real client, signed in at cloud-1 as demo."""
    return Client(find_client(), lab.environment("cloud-1"), home)


@pytest.fixture
def sdk(lab):
    """openstacksdk's connections, closed at the end of the test."""
    with opened(lab) as connections:
        yield connections
