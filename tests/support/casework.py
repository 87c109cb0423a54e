"""Short commands of after-sales on top of a scenario: ``desk.opens(Reason.DAMAGED)``."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from ledger.decisions import after_sales
from ledger.decisions.timers import FirstAnswerDue
from ledger.facts import Fact, LineNo
from ledger.nouns import cases, policies
from ledger.nouns.cases import (
    Case,
    CaseOpened,
    CaseStatus,
    Denial,
    EvidenceAdded,
    Inspection,
    LiabilityRuled,
    Reason,
    Remedy,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy
from ledger.terms.parties import Party
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    delivered,
    units,
)

CASE = "case-1"
PHOTO = sha256(b"a photo").hexdigest()
OTHER_PHOTO = sha256(b"another photo").hexdigest()
RESHIP = f"{ORDER}+R1"


class Desk:
    """The after-sales desk of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def case(self, case_id: str = CASE) -> Case:
        return cases.known(cases.find(self.scenario.book, case_id), case_id)

    def status(self, case_id: str = CASE) -> CaseStatus:
        return self.case(case_id).status

    # --- the case ---

    def opens(
        self, reason: Reason = Reason.DAMAGED, by_line: dict[int, int] | None = None, case_id: str = CASE,
        order_id: str = ORDER,
    ) -> list[Fact]:  # fmt: skip
        now = self.scenario.now
        opened = CaseOpened(case_id, order_id, reason, units(by_line or {1: 1}), first_answer_by=now, at=now)
        return self.scenario.record(after_sales.open_case(self.scenario.book, opened, now))

    def answers(self, case_id: str = CASE, hours_ago: float = 0) -> list[Fact]:
        at = self.scenario.now - hours_ago * HOUR
        return self._do(lambda: after_sales.answer(self.scenario.book, case_id, at, self.scenario.now))

    def asks(self, *wanted: str, case_id: str = CASE) -> list[Fact]:
        words = wanted or ("photo",)
        return self._do(
            lambda: after_sales.request_evidence(
                self.scenario.book, case_id, words, self.scenario.now, self.scenario.now
            )
        )

    def files(self, photo: str = PHOTO, case_id: str = CASE) -> list[Fact]:
        added = EvidenceAdded(case_id, photo, "image/png", 7, Party.CUSTOMER, self.scenario.now)
        return self._do(lambda: after_sales.add_evidence(self.scenario.book, added, self.scenario.now))

    def reviews(self, case_id: str = CASE) -> list[Fact]:
        return self._do(
            lambda: after_sales.start_review(self.scenario.book, case_id, self.scenario.now, self.scenario.now)
        )

    def rules(self, liable: Party = Party.SUPPLIER, *evidence: str, case_id: str = CASE) -> list[Fact]:
        ruling = LiabilityRuled(case_id, liable, ("broken",), evidence, self.scenario.now)
        return self._do(lambda: after_sales.rule(self.scenario.book, ruling, self.scenario.now))

    def approves(
        self, remedy: Remedy, by_line: dict[int, int] | None = None, case_id: str = CASE, supplier_id: str = ""
    ) -> list[Fact]:
        now = self.scenario.now
        return self._do(
            lambda: after_sales.approve(self.scenario.book, case_id, remedy, units(by_line), supplier_id, now, now)
        )

    def exchanges(self, sku: str, price: int | None = None, case_id: str = CASE, supplier_id: str = "") -> list[Fact]:
        now, remedy = self.scenario.now, Remedy.EXCHANGE
        wanted = cases.Exchange(sku, price)
        return self._do(
            lambda: after_sales.approve(self.scenario.book, case_id, remedy, {}, supplier_id, now, now, wanted)
        )

    def denies(self, because: Denial = Denial.NOT_COVERED, case_id: str = CASE) -> list[Fact]:
        now = self.scenario.now
        return self._do(lambda: after_sales.deny(self.scenario.book, case_id, because, None, now, now))

    def cancels(self, case_id: str = CASE) -> list[Fact]:
        now = self.scenario.now
        return self._do(lambda: after_sales.cancel(self.scenario.book, case_id, Party.CUSTOMER, "solved", now, now))

    def reopens(self, *evidence: str, case_id: str = CASE) -> list[Fact]:
        return self._do(
            lambda: after_sales.reopen(self.scenario.book, case_id, evidence, self.scenario.now, self.scenario.now)
        )

    # --- goods and money ---

    def labels(
        self, by_line: dict[int, int] | None = None, label_id: str = "label-1", case_id: str = CASE
    ) -> list[Fact]:
        now = self.scenario.now
        labelled = cases.ReturnLabelled(case_id, label_id, units(by_line), Party.RETAILER, now)
        return self._do(lambda: after_sales.label_return(self.scenario.book, labelled, now))

    def label_as(self, labelled: cases.ReturnLabelled) -> list[Fact]:
        return self._do(lambda: after_sales.label_return(self.scenario.book, labelled, self.scenario.now))

    def sends_back(self, number: str = "BACK1", label_id: str = "label-1", case_id: str = CASE) -> list[Fact]:
        now = self.scenario.now
        return self._do(lambda: after_sales.ship_return(self.scenario.book, case_id, label_id, "dhl", number, now, now))

    def receives(self, by_line: dict[int, int], case_id: str = CASE) -> list[Fact]:
        now = self.scenario.now
        return self._do(lambda: after_sales.receive_return(self.scenario.book, case_id, units(by_line), now, now))

    def inspects(self, case_id: str = CASE, line_no: int = 1, **found: int) -> list[Fact]:
        now, inspections = self.scenario.now, {LineNo(line_no): Inspection(**found)}
        return self._do(lambda: after_sales.inspect_return(self.scenario.book, case_id, inspections, "", now, now))

    def grants(
        self,
        by_line: dict[int, int] | None = None,
        share: int = 0,
        amounts: dict[int, int] | None = None,
        refund_id: str = "refund-1",
        case_id: str = CASE,
        charges: dict[str, int] | None = None,
    ) -> list[Fact]:
        now = self.scenario.now
        return self._do(
            lambda: after_sales.grant_refund(
                self.scenario.book, case_id, refund_id, units(by_line), share, units(amounts), now, now, charges or {}
            )
        )

    def denies_refund(
        self, by_line: dict[int, int] | None = None, because: Denial = Denial.GOODS_USED, case_id: str = CASE
    ) -> list[Fact]:
        now = self.scenario.now
        return self._do(lambda: after_sales.deny_refund(self.scenario.book, case_id, units(by_line), because, now, now))

    def takes_back(self, refund_id: str = "refund-1", case_id: str = CASE) -> list[Fact]:
        now, because = self.scenario.now, Denial.CHARGED_BACK
        return self._do(lambda: after_sales.take_back_refund(self.scenario.book, case_id, refund_id, because, now, now))

    def pays(self, refund_id: str = "refund-1", case_id: str = CASE) -> list[Fact]:
        now = self.scenario.now
        return self._do(
            lambda: after_sales.record_refund_paid(self.scenario.book, case_id, refund_id, "psp-1", now, now)
        )

    # --- what time does ---

    def clock_runs(self, case_id: str = CASE) -> list[Fact]:
        return self._do(
            lambda: FirstAnswerDue(case_id, due=self.scenario.now).notice(self.scenario.book, self.scenario.now)
        )

    def looks_at_the_reship(self, case_id: str = CASE) -> list[Fact]:
        return self._do(lambda: after_sales.follow_reship(self.scenario.book, case_id, self.scenario.now))

    def _do(self, decide: Callable[[], list[tuple[str, Fact]]]) -> list[Fact]:
        """What it recorded, without what it meant for recoveries, which test_case_recoveries covers."""
        facts = self.scenario.record(decide())
        return [fact for fact in facts if not fact.fact_name().startswith(("recovery.", "parcel.claim"))]


# --- where scenarios begin --------------------------------------------------------------------------


def opened(reason: Reason = Reason.DAMAGED, by_line: dict[int, int] | None = None) -> Desk:
    """A case for one unit of a delivered order of three, or for these."""
    desk = Desk(delivered())
    desk.opens(reason, by_line)
    return desk


def ruled(
    liable: Party = Party.SUPPLIER, reason: Reason = Reason.DAMAGED, by_line: dict[int, int] | None = None
) -> Desk:
    desk = opened(reason, by_line)
    desk.files()
    desk.reviews()
    desk.rules(liable, PHOTO)
    return desk


def approved(
    remedy: Remedy,
    by_line: dict[int, int] | None = None,
    liable: Party = Party.SUPPLIER,
    reason: Reason = Reason.DAMAGED,
) -> Desk:
    desk = ruled(liable, reason, by_line)
    desk.approves(remedy)
    return desk


def agreed(scenario: Scenario, **terms: Any) -> None:
    """The retailer's policy has other terms, since long ago."""
    scenario.record([(policies.stream(), policies.PolicyAgreed(Policy(**terms), NOON - 60 * DAY, scenario.now))])


def reship_arrives(desk: Desk, status: ParcelStatus = ParcelStatus.DELIVERED, number: str = "P9") -> None:
    """The reship is sent, shipped, and delivered or scanned with this status."""
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship(supplier_order_id=f"{RESHIP}/1", number=number)
    desk.scenario.later(days=2)
    desk.scenario.scan(status, number=number)
