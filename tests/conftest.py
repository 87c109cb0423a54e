"""A real PostgreSQL for every test: the embedded one, or the one FULFILMENT_TEST_DSN names."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from adapters.database.embedded import EmbeddedServer
from tests.support import portable, tenants
from tests.support.hosting import hosted
from tests.support.new_data import give_new_data
from tests.support.service import Service
from tests.support.stalls import EmptyTenant
from tests.support.tenants import Tenants

_TEST_SECONDS = 60

# How long an example takes tells of the machine's load and nothing of the code.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    portable.watch()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As a shell starts what runs in the background; consoles that tests start and stop would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, for many a test waits; one where all share a database, for projectors follow
    every tenant in it."""
    return 1 if os.environ.get("FULFILMENT_TEST_DSN") else (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What all tests are made of stays, so that the collector looks at it once, and seldom at what they leave."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 10, 10)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Each worker collects all tests, and begins at other files, so that none compiles what another is compiling."""
    report = yield
    if isinstance(collector, pytest.Dir) and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
        turn = len(report.result) * int(worker.removeprefix("gw")) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        report.result = report.result[turn:] + report.result[:turn]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All workers have them in one order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine in an event loop of its own, and never for ever."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    scenario = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(scenario, _TEST_SECONDS))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged on the way may hold half a character, and between processes only text can travel."""
    report = yield
    report.sections = [
        (title, section.encode(errors="backslashreplace").decode()) for title, section in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """How to reach the embedded PostgreSQL that the files of this process share."""
    with tempfile.TemporaryDirectory(prefix="fulfilment-") as folder:
        give_new_data(Path(folder))
        server = EmbeddedServer(Path(folder))
        yield server.start()
        server.stop()


@pytest.fixture(scope="session")
def conninfo(request: pytest.FixtureRequest) -> str:
    """How to reach the PostgreSQL of this test run."""
    return os.environ.get("FULFILMENT_TEST_DSN") or str(request.getfixturevalue("embedded"))


@pytest.fixture(scope="module")
def service(embedded: str) -> Iterator[Service]:
    """A service that the tests of one file share."""
    with hosted(embedded) as service:
        yield service


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a service's data; its path is short, which pytest's tmp_path is not."""
    with tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def handed_on(conninfo: str) -> Tenants:
    """The tenants that tests of this process hand on to each other."""
    return Tenants(conninfo)


@pytest.fixture
def tenant(handed_on: Tenants) -> Iterator[EmptyTenant]:
    """A tenant for one test, with the tables of all read models."""
    tenant = handed_on.take()
    yield tenant
    handed_on.give_back(tenant)


@pytest.fixture
def new_tenant(conninfo: str) -> Iterator[EmptyTenant]:
    """A tenant for one test, without a read model."""
    tenant = tenants.new_tenant(conninfo)
    yield tenant
    with psycopg.connect(conninfo, autocommit=True) as connection:
        tenants.drop(connection, tenant)
