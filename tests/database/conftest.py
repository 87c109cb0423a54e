"""What the tests of read models share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.projecting import listed
from tests.support.stalls import EmptyTenant


@pytest.fixture
def shop(tenant: EmptyTenant) -> Iterator[EmptyTenant]:
    """A tenant that projectors find."""
    with listed(tenant):
        yield tenant
