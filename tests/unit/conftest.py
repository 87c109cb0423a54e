"""Tests of this room need no database, so that all of them take seconds."""

import pytest


@pytest.fixture(scope="session")
def embedded() -> str:
    """None here: what needs PostgreSQL stands in tests/database."""
    pytest.fail("a test in tests/unit asks for a database; move it to tests/database")
