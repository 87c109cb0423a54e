"""The folder of a test run, before anything is imported: what is imported may be compiled, and kept there."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import runs

_OPENED = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(_OPENED.close)


def _lend_bytecode(to: Path) -> None:
    """Of packages and the standard library it is there; a prefix hides it, and each worker would compile it again."""
    for room in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}:
        for folder, below, names in os.walk(room):
            below[:] = [each for each in below if each != "site-packages"]  # of the Python that .venv is of
            if folder.endswith("__pycache__"):
                lent = to / Path(folder).parent.relative_to("/")
                lent.mkdir(parents=True, exist_ok=True)
                for name in names:
                    if name.endswith(f".{sys.implementation.cache_tag}.pyc"):
                        (lent / name).symlink_to(Path(folder, name))


if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker writes into the folder of its run
    _folder = _OPENED.enter_context(runs.run_folder(runs.base()))
    os.environ["TMPDIR"] = tempfile.tempdir = str(_folder)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Nothing is written beside the sources; but the hundreds of processes here need not each compile all.
        _lend_bytecode(_folder / "bytecode")
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(_folder / "bytecode")
        sys.dont_write_bytecode = False
