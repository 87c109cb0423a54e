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
"""Lamps: a toy. A lamp is to be filled before it has burnt out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Fact, Value
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.view import View, noun


def stream(lamp_id: str) -> str:
    return f"lamp-{lamp_id}"


def find(view: View, lamp_id: str) -> Lamp | None:
    found: Lamp | None = view.state(stream(lamp_id))
    return found


class LampLit(Fact, frozen=True, tag="lamp.lit"):
    lamp_id: str
    burns_until: datetime


class LampWentOut(Fact, frozen=True, tag="lamp.went_out"):
    lamp_id: str
    at: datetime


class LampFilled(Fact, frozen=True, tag="lamp.filled"):
    lamp_id: str
    at: datetime


class LampBurnsOn(Fact, frozen=True, tag="lamp.burns_on"):
    lamp_id: str
    at: datetime


LampFact = LampLit | LampWentOut | LampFilled | LampBurnsOn


class Lamp(Value, frozen=True):
    lamp_id: str
    burns_until: datetime
    went_out_at: datetime | None = None
    filled_at: datetime | None = None
    burns_on_at: datetime | None = None


def evolve(lamp: Lamp | None, fact: LampFact) -> Lamp:
    match fact:
        case LampLit():
            return Lamp(fact.lamp_id, fact.burns_until)
        case LampWentOut():
            assert lamp is not None
            return replace(lamp, went_out_at=fact.at)
        case LampFilled():
            assert lamp is not None
            return replace(lamp, filled_at=fact.at)
        case LampBurnsOn():
            assert lamp is not None
            return replace(lamp, burns_on_at=fact.at)


NOUN = noun("lamp", LampFact, evolve)


def readings(lamp: Lamp) -> Iterable[Reading]:
    recorded = {"missed_at": lamp.went_out_at, "withdrawn_at": lamp.burns_on_at}
    yield Reading(lamp.lamp_id, Clock.FILL, lamp.burns_until, lamp.filled_at, **recorded)


def light(lamp: Lamp | None, lamp_id: str, burns_until: datetime) -> Sequence[LampLit]:
    return [] if lamp else [LampLit(lamp_id, burns_until)]


def go_out(lamp: Lamp | None, now: datetime) -> Sequence[LampWentOut]:
    overdue = lamp is not None and any(reading.overdue(now) for reading in readings(lamp))
    return [LampWentOut(lamp.lamp_id, now)] if overdue else []


def fill(lamp: Lamp, at: datetime, now: datetime) -> Sequence[LampFact]:
    filled = LampFilled(lamp.lamp_id, at)
    facts = {ClockState.MISSED: LampWentOut(lamp.lamp_id, now), ClockState.WITHDRAWN: LampBurnsOn(lamp.lamp_id, now)}
    verdicts = (reading.verdict(now) for reading in readings(evolve(lamp, filled)))
    return [filled, *(facts[verdict] for verdict in verdicts if verdict)]
'''

TIMER = """

class FillDue(Timer, frozen=True):
    name = Clock.FILL
    lamp_id: str

    @property
    def stream(self) -> str:
        return lamps.stream(self.lamp_id)

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return lamps.go_out(lamps.find(view, self.lamp_id), now)
"""

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
"""Lights a lamp by a command, twice, asks the read model for it, and lets the clock look before and after it is due."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import psycopg

from adapters.clock import Clocks
from adapters.database.postgres import open_pool
from adapters.tenants import Tenant, Tenants
from ledger.engine.commands import own_command
from ledger.engine.executor import Ledger
from ledger.engine.log import Log
from ledger.facts import changes_of
from ledger.nouns import NOUNS, lamps
from projections import PROJECTIONS
from projections.machine import rebuilding, runner
from projections.machine.projection import named

conninfo, schema = sys.argv[1:]
UNTIL = datetime(2026, 1, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def light(lamp):
    return lamps.light(lamp, "hall", UNTIL)


def fill(lamp):
    return lamps.fill(lamp, UNTIL - HOUR, UNTIL + 3 * HOUR)


def rows(query):
    with psycopg.connect(conninfo) as connection:
        return connection.execute(query.replace("SCHEMA", schema)).fetchall()


async def play() -> None:
    async with open_pool(conninfo) as pool:
        log = Log(schema, pool)
        ledger = Ledger(log, NOUNS)
        tenant, clocks = Tenant("toy", schema, log, ledger), Clocks(Tenants(pool))

        async def command(request, lamp_id, decide):
            own = lamps.stream(lamp_id)
            decision = lambda view: changes_of(own, decide(lamps.find(view, lamp_id)))
            return (await ledger.execute(own_command(request, "toy", decision, [own]))).position

        async def look(hours):
            await asyncio.to_thread(runner.catch_up, conninfo, schema, PROJECTIONS)
            noticed = await clocks.tick(tenant, UNTIL + hours * HOUR)
            await asyncio.to_thread(runner.catch_up, conninfo, schema, PROJECTIONS)
            states = rows("SELECT state FROM SCHEMA.sla_obligations WHERE clock = 'fill' ORDER BY object_id")
            print(noticed, *(state for state, in states))

        await ledger.start()
        for request in ("first", "second"):
            print(await command(request, "hall", light))
        await command("third", "loft", lambda lamp: lamps.light(lamp, "loft", UNTIL))
        await look(-2)
        await command("in time", "loft", lambda lamp: lamps.fill(lamp, UNTIL - HOUR, UNTIL - HOUR))
        await look(-1)
        await look(1)
        await look(2)
        await command("recorded late", "hall", fill)
        await look(3)
        await ledger.stop()


asyncio.run(play())
print(*rows("SELECT lamp_id FROM SCHEMA.lamps ORDER BY lamp_id"))
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


def test_a_noun_a_read_model_and_a_clock_touch_few_files(tenant: EmptyTenant, tmp_path: Path) -> None:
    house = copy_of_the_house(tmp_path)
    nouns, questions = house / "ledger/nouns/__init__.py", house / "projections/__init__.py"
    # The noun.
    (house / "ledger/nouns/lamps.py").write_text(NOUN)
    add_line(nouns, "from ledger.nouns import (\n", "    lamps,")
    add_line(nouns, "NOUNS = (\n", "    lamps.NOUN,")
    # The read model.
    (house / "projections/lamps.py").write_text(READ_MODEL)
    add_line(questions, "from projections.inquiries import WAITING_INQUIRIES\n", "from projections.lamps import LAMPS")
    add_line(questions, "PROJECTIONS: tuple[Projection, ...] = (\n", "    LAMPS,")
    # The clock, of a noun that had none.
    add_line(house / "ledger/terms/clocks.py", '    ANSWER = "answer"\n', '    FILL = "fill", Party.RETAILER')
    timers = house / "ledger/decisions/timers.py"
    text = timers.read_text().replace("from ledger.nouns import (\n", "from ledger.nouns import (\n    lamps,\n")
    timers.write_text(text + TIMER)
    obligations = house / "projections/obligations/projection.py"
    add_line(obligations, "from ledger.nouns.inquiries import Inquiry\n", "from ledger.nouns import lamps")
    source = "    From(lamps.NOUN, OBLIGATIONS, lambda lamp: _obligations(lamps.readings(lamp))),"
    add_line(obligations, "    From(cases.NOUN, OBLIGATIONS, _of_case),\n", source)
    (house / "play.py").write_text(PLAY)

    environment = {**os.environ, "PYTHONPATH": f"{house}:{house / 'protos'}"}
    words = [sys.executable, str(house / "play.py"), tenant.conninfo, tenant.schema]
    done = subprocess.run(words, cwd=house, env=environment, capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines() == [
        *("1", "1"),  # the repetition records nothing
        "0 open open",
        "0 open met",
        "1 missed met",
        "0 missed met",
        "0 withdrawn met",
        "('hall',) ('loft',)",
        "True",
    ], done.stderr
