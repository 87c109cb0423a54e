"""A newer version of the service: a copy of this one that has a further migration, fact, and column of a read model."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from projections.tracking import TRACKING
from tests.support.service import HOUSE

SHAPE = TRACKING.shape + 1
"""Of the read model that has the column."""
FACT = "order.starred"
"""Recorded beside each note."""
_STARRED = f'\nclass Starred(Fact, frozen=True, tag="{FACT}"):\n    order_id: str\n\n\n'


def newer_version(folder: Path) -> Path:
    """The folder in which its server.py is."""
    house = folder / "newer"
    for room in ("ledger", "projections", "adapters"):
        shutil.copytree(HOUSE / room, house / room, ignore=shutil.ignore_patterns("__pycache__"))
        _copy_bytecode(HOUSE / room, house / room)
    shutil.copy(HOUSE / "server.py", house)
    changes = {
        "adapters/database/migrations.py": [
            (r"(TENANT_MIGRATIONS = \(.*?\n)\)\n", r'\1    "ALTER TABLE {schema}.ledger_commands ADD stars int",\n)\n')
        ],
        "ledger/nouns/orders/remarks.py": [
            (r"\nRemarkFact = NoteAdded", f"{_STARRED}RemarkFact = Starred | NoteAdded"),
            (r"(\n        case NoteAdded\(\):)", r"\n        case Starred():\n            return remarks\1"),
            (r"else \[note\]", "else [note, Starred(note.order_id)]"),
        ],
        "ledger/nouns/orders/evolving.py": [
            (r"import NoteAdded, ", "import NoteAdded, Starred, "),
            (r"case NoteAdded\(\) \| ", "case NoteAdded() | Starred() | "),
        ],
        "projections/tracking/rows.py": [
            (r"(class KeptOrder.*?    details: Details\n)", r"\1    starred: bool = False\n")
        ],
        "projections/tracking/projection.py": [(rf'("tracking",\n    ){TRACKING.shape},', rf"\g<1>{SHAPE},")],
    }
    for name, replaced in changes.items():
        text = (house / name).read_text()
        for pattern, new in replaced:
            text, found = re.subn(pattern, new, text, count=1, flags=re.DOTALL)
            assert found, f"{name} has no {pattern}"
        (house / name).write_text(text)
    return house


def _copy_bytecode(room: Path, copy: Path) -> None:
    """What was compiled holds for a copy of its source that is as old; what is changed in it is compiled anew."""
    if sys.pycache_prefix:
        compiled, of_copy = (Path(sys.pycache_prefix, *folder.resolve().parts[1:]) for folder in (room, copy))
        shutil.copytree(compiled, of_copy, ignore=shutil.ignore_patterns("*.pyc.*"))
