"""What the tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.edge import edging
from tests.support.service import Client, Service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    """A client of the service of this file, with a supplier that may be given orders."""
    with Client(service.address) as client:
        client.approve(acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
        yield client


@pytest.fixture(scope="module")
def edge(service: Service) -> Iterator[str]:
    """The address of the edges beside the service of this file."""
    with edging(service) as address:
        yield address
