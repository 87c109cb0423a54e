"""What is added touches the files that CONTRIBUTING.md names: a copy of the house gets toys in those alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.service import HOUSE
from tests.support.stalls import EmptyTenant

NOUN = '''
"""Lamps: a toy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Fact, Value
from ledger.view import View, noun


def stream(lamp_id: str) -> str:
    return f"lamp-{lamp_id}"


def find(view: View, lamp_id: str) -> Lamp | None:
    found: Lamp | None = view.state(stream(lamp_id))
    return found


class LampLit(Fact, frozen=True, tag="lamp.lit"):
    lamp_id: str
    burns_until: datetime


class Lamp(Value, frozen=True):
    lamp_id: str
    burns_until: datetime


def evolve(lamp: Lamp | None, fact: LampLit) -> Lamp:
    return Lamp(fact.lamp_id, fact.burns_until)


NOUN = noun("lamp", LampLit, evolve)


def light(lamp: Lamp | None, lamp_id: str, burns_until: datetime) -> Sequence[LampLit]:
    return [] if lamp else [LampLit(lamp_id, burns_until)]
'''

READ_MODEL = '''
"""Which lamps are lit?"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ledger.nouns import lamps
from projections.machine.projection import From, projection
from projections.machine.tables import table


class Lit(NamedTuple):
    lamp_id: str
    burns_until: datetime


LIT = table("lamps", Lit, 1)
LAMPS = projection("lamps", 1, From(lamps.NOUN, LIT, lambda lamp: [Lit(lamp.lamp_id, lamp.burns_until)]))
'''

PLAY = '''
"""Lights a lamp by a command, twice, and asks the read model for it."""

import asyncio
import sys
from datetime import UTC, datetime

import psycopg

from adapters.postgres import open_pool
from ledger.engine.executor import Ledger, own_command
from ledger.engine.log import Log
from ledger.facts import changes_of
from ledger.nouns import NOUNS, lamps
from projections import PROJECTIONS
from projections.machine import rebuilding, runner
from projections.machine.projection import named

conninfo, schema = sys.argv[1:]
UNTIL = datetime(2026, 1, 2, 18, tzinfo=UTC)


def light(view):
    return changes_of(lamps.stream("hall"), lamps.light(lamps.find(view, "hall"), "hall", UNTIL))


async def play() -> None:
    async with open_pool(conninfo) as pool:
        ledger = Ledger(Log(schema, pool), NOUNS)
        await ledger.start()
        for request in ("first", "second"):
            print((await ledger.execute(own_command(request, "toy", light, [lamps.stream("hall")]))).position)
        await ledger.stop()


asyncio.run(play())
runner.catch_up(conninfo, schema, PROJECTIONS)
with psycopg.connect(conninfo) as connection:
    print(connection.execute(f"SELECT lamp_id FROM {schema}.lamps").fetchall())
print(rebuilding.verify(conninfo, schema, named(PROJECTIONS, "lamps")).equal)
'''


def copy_of_the_house(folder: Path) -> Path:
    house = folder / "house"
    for room in ("ledger", "projections", "adapters", "protos"):
        shutil.copytree(HOUSE / room, house / room, ignore=shutil.ignore_patterns("__pycache__"))
    return house


def add_line(path: Path, after: str, line: str) -> None:
    """A line after the one that begins a list."""
    text = path.read_text()
    assert text.count(after) == 1, f"{path} has no one place for {line}"
    path.write_text(text.replace(after, f"{after}{line}\n"))


def test_a_noun_and_a_read_model_touch_two_files_each(tenant: EmptyTenant, tmp_path: Path) -> None:
    house = copy_of_the_house(tmp_path)
    (house / "ledger/nouns/lamps.py").write_text(NOUN)
    add_line(house / "ledger/nouns/__init__.py", "from ledger.nouns import (\n", "    lamps,")
    add_line(house / "ledger/nouns/__init__.py", "NOUNS = (\n", "    lamps.NOUN,")
    (house / "projections/lamps.py").write_text(READ_MODEL)
    add_line(
        house / "projections/__init__.py",
        "from projections.inquiries import WAITING_INQUIRIES\n",
        "from projections.lamps import LAMPS",
    )
    add_line(house / "projections/__init__.py", "PROJECTIONS: tuple[Projection, ...] = (\n", "    LAMPS,")
    (house / "play.py").write_text(PLAY)

    environment = {**os.environ, "PYTHONPATH": f"{house}:{house / 'protos'}"}
    words = [sys.executable, str(house / "play.py"), tenant.conninfo, tenant.schema]
    done = subprocess.run(words, cwd=house, env=environment, capture_output=True, text=True, timeout=60)

    # The repetition records nothing, so its receipt has the same position.
    assert done.stdout.split("\n") == ["1", "1", "[('hall',)]", "True", ""], done.stderr
