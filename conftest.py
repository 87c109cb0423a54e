"""The folder of a test run, before anything is imported: what is imported may be compiled, and kept there."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack

import pytest

from tests.support import runs

_OPENED = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(_OPENED.close)


if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker writes into the folder of its run
    _folder = _OPENED.enter_context(runs.run_folder(runs.base()))
    os.environ["TMPDIR"] = tempfile.tempdir = str(_folder)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Nothing is written beside the sources; but the hundreds of processes here need not each compile all.
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(_folder / "bytecode")
        sys.dont_write_bytecode = False
