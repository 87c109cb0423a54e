"""What suppliers do with their orders, and what is cancelled of them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.facts import LineNo
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason, SupplierOrderShipped
from ledger.nouns.parcels import uses
from tests.support.fulfilment.corrections import Corrections
from tests.support.fulfilment.model import Counted, Out, a_pick, at_times, seldom, some_lines


class SupplierOrders(Corrections):
    """The rules of supplier orders."""

    @precondition(lambda self: self.live())
    @rule()
    def all_are_sent(self) -> None:
        for counted, supplier_order_id in self.live():
            self.send(counted, supplier_order_id)

    def send(self, counted: Counted, supplier_order_id: str) -> None:
        whole = counted.gone[supplier_order_id] + counted.left[supplier_order_id]
        ready = bool(+whole) and not self.held(supplier_order_id)
        facts = self.attempt(lambda: self.scenario.send(supplier_order_id))
        assert (facts is not None) == (ready or supplier_order_id in counted.sent)
        if facts:
            counted.sent.add(supplier_order_id)

    @precondition(lambda self: self.live())
    @rule(
        pick=a_pick,
        n=a_pick,
        split=st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)),
        wild=at_times,
        because=st.sampled_from([RejectReason.OTHER, RejectReason.OUT_OF_STOCK]),
    )
    def the_supplier_answers(
        self, pick: int, n: int, split: tuple[int, int, int], wild: bool, because: RejectReason
    ) -> None:
        counted, supplier_order_id = self.a_supplier_order(pick)
        n = self.a_line_of(counted, supplier_order_id, n)
        share = self.scenario.supplier_order(supplier_order_id).shares[LineNo(n)]
        accepted, backordered, rejected = split
        if not wild:
            # Say something of every unit that is not answered yet.
            waiting = share.pending + share.backordered
            rejected = min(rejected, waiting)
            backordered = min(backordered, waiting - rejected)
            accepted = waiting - rejected - backordered
        self.it_answers(counted, supplier_order_id, n, LineAnswer(accepted, backordered, rejected, because=because))

    @precondition(lambda self: self.live())
    @rule(pick=a_pick, n=a_pick, because=st.sampled_from([RejectReason.OTHER, RejectReason.DISCONTINUED]))
    def one_supplier_after_another_turns_a_line_down(self, pick: int, n: int, because: RejectReason) -> None:
        counted, supplier_order_id = self.a_supplier_order(pick)
        n = self.a_line_of(counted, supplier_order_id, n)
        for _ in range(2):
            for each in [s for s, left in counted.left.items() if left[n] and not self.held(s)]:
                self.send(counted, each)
                self.it_answers(counted, each, n, LineAnswer(rejected=counted.left[each][n], because=because))

    def it_answers(self, counted: Counted, supplier_order_id: str, n: int, answer: LineAnswer) -> None:
        order_id = supplier_order_id.rpartition("/")[0]
        supplier_order = self.scenario.supplier_order(supplier_order_id)
        share, of, rejected = supplier_order.shares[LineNo(n)], supplier_order.supplier_id, answer.rejected
        waiting = share.pending + share.backordered
        # What it accepts of units that have left is only history.
        said = answer.units - min(answer.accepted, share.shipped, max(answer.units - waiting, 0))
        fits = share.pending <= said <= waiting
        cancelled = self.met_by_rejecting(counted, supplier_order_id, n, rejected) if fits else 0
        freed = Counter({n: rejected - cancelled} if rejected > cancelled else {})
        expected = self.expect(counted, order_id, freed, of)
        known_before = any(
            (each.by_line, each.at) == ({n: answer}, self.scenario.now) for each in supplier_order.answers
        )
        facts = self.attempt(lambda: self.scenario.answer({n: answer}, supplier_order_id))
        assert bool(facts) == (fits and supplier_order_id in counted.sent and not known_before)
        if not facts:
            return
        self.wishes_are_met(counted, supplier_order_id, n, rejected)
        counted.left[supplier_order_id][n] -= rejected
        counted.dropped[supplier_order_id][n] += rejected
        counted.loose[n] += rejected - cancelled
        counted.cancelled[n] += cancelled
        if rejected:
            discontinued = answer.because is RejectReason.DISCONTINUED
            if discontinued:
                self.withdrawn.add((of, counted.skus[n]))
            for line_no, sku in counted.skus.items():
                if line_no == n or (discontinued and sku == counted.skus[n]):
                    counted.against[line_no].add(of)
        self.goes_on(counted, expected, facts)

    def met_by_rejecting(self, counted: Counted, supplier_order_id: str, n: int, rejected: int) -> int:
        """How many of the rejected units were to be cancelled."""
        asked = counted.asked.get(supplier_order_id, Counter[int]())[n]
        to_cancel = asked - counted.rerouting.get(supplier_order_id, Counter[int]())[n]
        return min(max(asked - (counted.left[supplier_order_id][n] - rejected), 0), to_cancel)

    def wishes_are_met(self, counted: Counted, supplier_order_id: str, n: int, rejected: int) -> None:
        cancelled = self.met_by_rejecting(counted, supplier_order_id, n, rejected)
        asked = counted.asked.get(supplier_order_id, Counter())
        met = max(asked[n] - (counted.left[supplier_order_id][n] - rejected), 0)
        asked[n] -= met
        counted.rerouting.get(supplier_order_id, Counter())[n] -= met - cancelled

    @precondition(lambda self: self.live())
    @rule(pick=a_pick, counts=some_lines, everything=st.booleans(), wild=seldom, agreed=st.sampled_from([True, None]))
    def units_are_rerouted(
        self, pick: int, counts: dict[int, int], everything: bool, wild: bool, agreed: bool | None
    ) -> None:
        """A supplier that knows of them may agree at once, or answer later."""
        counted, supplier_order_id = self.a_supplier_order(pick)
        order_id = supplier_order_id.rpartition("/")[0]
        of = self.scenario.supplier_order(supplier_order_id).supplier_id
        possible = counted.left[supplier_order_id] - counted.asked.get(supplier_order_id, Counter())
        named = Counter() if everything else Counter(counts) if wild else Counter(counts) & possible
        wanted = named or possible
        expected = self.expect(counted, order_id, Counter({n: c for n, c in wanted.items() if n in possible}), of)
        asked_before = not named and not possible and bool(+counted.rerouting.get(supplier_order_id, Counter()))
        fits = bool(wanted) and all(count <= possible[n] for n, count in wanted.items())
        allowed = fits and all(having for _, having, _ in expected)
        facts = self.attempt(
            lambda: self.scenario.reroute(dict(named), supplier_order_id, order_id), repeatable=not named
        )
        assert (facts is not None) == (allowed or asked_before)
        if not facts:
            return
        if supplier_order_id in counted.sent:
            for wishes in (counted.asked, counted.rerouting):
                wishes.setdefault(supplier_order_id, Counter()).update(wanted)
            if agreed:
                self.it_answers_the_cancel(counted, order_id, supplier_order_id, agreed)
        else:
            counted.left[supplier_order_id].subtract(wanted)
            counted.dropped[supplier_order_id].update(wanted)
            counted.loose.update(wanted)
            self.lost_by(counted, of, wanted)
            self.goes_on(counted, expected, facts)

    def lost_by(self, counted: Counted, supplier_id: str, units: Counter[int]) -> None:
        for n in +units:
            counted.against[n].add(supplier_id)

    @precondition(lambda self: any(+counted.loose and counted.left for counted in self.model.values()))
    @rule(pick=a_pick, counts=some_lines)
    def open_units_are_rerouted(self, pick: int, counts: dict[int, int]) -> None:
        waiting = [order_id for order_id, counted in self.model.items() if +counted.loose and counted.left]
        order_id = waiting[pick % len(waiting)]
        counted = self.model[order_id]
        named = Counter(counts) & counted.loose
        command = partial(self.scenario.reroute, dict(named), "", order_id)
        self.open_units_go_on(counted, order_id, named or +counted.loose, command)

    @precondition(lambda self: self.live())
    @rule(pick=a_pick)
    def the_supplier_packs(self, pick: int) -> None:
        _, supplier_order_id = self.a_supplier_order(pick)
        self.attempt(lambda: self.scenario.pack("logo_label", supplier_order_id=supplier_order_id))

    @precondition(lambda self: self.live())
    @rule(
        pick=a_pick,
        counts=some_lines,
        everything=st.booleans(),
        wild=at_times,
        number=a_pick,
        hours_ago=st.sampled_from([0, 0, 3, 60]),
    )
    def the_supplier_ships(
        self, pick: int, counts: dict[int, int], everything: bool, wild: bool, number: int, hours_ago: int
    ) -> None:
        counted, supplier_order_id = self.a_supplier_order(pick)
        left = +counted.left[supplier_order_id]
        lines = counted.left[supplier_order_id].keys()
        named = Counter() if everything else Counter({n: c for n, c in counts.items() if n in lines})
        named = named if wild else named & left
        known = self.numbers()
        name = known[number % len(known)] if known and number < 4 else f"P{len(known) + 1}"
        at = self.scenario.now - timedelta(hours=hours_ago)
        told = [each for each in counted.shipped if each[:2] == (supplier_order_id, name)]
        owed, over = (self.owed(counted, supplier_order_id, named, told, at)) if named else (left, Counter[int]())
        facts = self.attempt(lambda: self.scenario.ship(dict(named), supplier_order_id, name, at))
        assert (facts is not None) == bool(named or left or told)
        assert bool(facts) == bool(owed or over)
        if facts:
            shipped = next(fact for fact in facts if isinstance(fact, SupplierOrderShipped))
            assert (Counter(shipped.by_line), Counter(shipped.over)) == (owed, over)
            counted.shipped.append((supplier_order_id, name, owed + over, at))
            self.leave(counted, supplier_order_id, owed)
            self.put_in(counted, supplier_order_id, owed, name, shipped.epoch)

    def owed(
        self, counted: Counted, supplier_order_id: str, named: Counter[int], told: list[Any], at: datetime
    ) -> tuple[Counter[int], Counter[int]]:
        """Of the units that are told, the new ones that it had to send, or had dropped; and those that are too many."""
        before: Counter[int] = sum((units for *_, units, when in told if when == at), Counter())
        ever: Counter[int] = sum((units for *_, units, _ in told), Counter())
        dropped = counted.dropped[supplier_order_id] & +counted.loose
        fitting = counted.left[supplier_order_id] + dropped
        new = {n: max(c - before[n], 0) for n, c in named.items()}
        new = {n: c if c <= fitting[n] else max(named[n] - ever[n], 0) for n, c in new.items()}
        owed = +Counter({n: min(c, fitting[n]) for n, c in new.items()})
        return owed, Counter(new) - owed

    def leave(self, counted: Counted, supplier_order_id: str, owed: Counter[int]) -> None:
        counted.gone[supplier_order_id].update(owed)
        back = owed - counted.left[supplier_order_id]
        counted.left[supplier_order_id].subtract(owed - back)
        counted.dropped[supplier_order_id].subtract(back)
        counted.loose.subtract(back)
        asked = counted.asked.get(supplier_order_id, Counter())
        gone = asked - counted.left[supplier_order_id]
        for wishes in (asked, counted.rerouting.get(supplier_order_id, Counter())):
            wishes.subtract({n: min(count, wishes[n]) for n, count in gone.items()})

    def put_in(self, counted: Counted, supplier_order_id: str, owed: Counter[int], number: str, epoch: int) -> None:
        """Units are where the parcel is, and with what the order has in it."""
        use = next(each for each in uses(self.scenario.parcel(number)) if each.epoch == epoch)
        if out := counted.parcels.get(self.key(use)):
            out.by_line += owed
        else:
            counted.parcels[self.key(use)] = Out(supplier_order_id, owed)
            self.follow(use, counted)

    # --- cancelling ---

    @rule(pick=a_pick, counts=some_lines, everything=seldom, wild=at_times)
    def somebody_cancels(self, pick: int, counts: dict[int, int], everything: bool, wild: bool) -> None:
        order_id = self.an_order(pick)
        counted = self.model[order_id]
        possible = +counted.cancellable()
        asked = any(+units for units in counted.asked.values())
        named = Counter() if everything else Counter(counts) if wild else Counter(counts) & possible
        wanted = named or possible
        # A parcel with nothing but units that should not have left has none of the order's.
        closed = not possible and not asked and not any(+out.by_line for out in counted.parcels.values())
        pending = not named and not possible and asked
        allowed = closed or pending or (bool(wanted) and all(count <= possible[n] for n, count in wanted.items()))
        facts = self.attempt(lambda: self.scenario.cancel(dict(named), order_id), repeatable=not named)
        assert (facts is not None) == allowed
        if facts is None or closed or pending:
            return
        for n, count in wanted.items():
            at_once = min(count, counted.loose[n])
            counted.loose[n] -= at_once
            counted.cancelled[n] += at_once
            self.cancel_at_suppliers(counted, n, count - at_once)

    def cancel_at_suppliers(self, counted: Counted, n: int, count: int) -> None:
        """Drafts first; of a supplier that knows, the units that it was to give up first."""
        for supplier_order_id in sorted(counted.left, key=lambda each: each in counted.sent):
            asked = counted.asked.get(supplier_order_id, Counter())
            rerouting = counted.rerouting.get(supplier_order_id, Counter())
            taken = min(count, counted.left[supplier_order_id][n] - asked[n] + rerouting[n])
            count -= taken
            if not taken:
                continue
            if supplier_order_id not in counted.sent:
                counted.left[supplier_order_id][n] -= taken
                counted.cancelled[n] += taken
            else:
                turned = min(taken, rerouting[n])
                rerouting[n] -= turned
                asked[n] += taken - turned
                counted.asked[supplier_order_id] = asked
        assert not count

    @precondition(lambda self: any(+units for counted in self.model.values() for units in counted.asked.values()))
    @rule(pick=a_pick, agreed=st.booleans())
    def the_supplier_answers_the_cancel(self, pick: int, agreed: bool) -> None:
        waiting = [(c, order_id, s) for order_id, c in self.model.items() for s, units in c.asked.items() if +units]
        self.it_answers_the_cancel(*waiting[pick % len(waiting)], agreed)

    def it_answers_the_cancel(self, counted: Counted, order_id: str, supplier_order_id: str, agreed: bool) -> None:
        of = self.scenario.supplier_order(supplier_order_id).supplier_id
        asked, rerouted = counted.asked[supplier_order_id], +counted.rerouting.get(supplier_order_id, Counter())
        expected = self.expect(counted, order_id, rerouted, of) if agreed else []
        counted.forget_wishes(supplier_order_id)
        facts = self.attempt(lambda: self.scenario.answer_cancel(agreed, supplier_order_id))
        assert facts
        if agreed:
            counted.left[supplier_order_id].subtract(asked)
            counted.cancelled += asked - rerouted
            counted.dropped[supplier_order_id].update(rerouted)
            counted.loose.update(rerouted)
            self.lost_by(counted, of, rerouted)
            self.goes_on(counted, expected, facts)
