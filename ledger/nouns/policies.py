"""The retailer's own terms, each version with the date from which it holds."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never

from ledger.facts import Fact, Value
from ledger.nouns.recoveries import DocumentKind, RecoveryKind
from ledger.refusals import require_seen
from ledger.terms.brands import Brand
from ledger.terms.calendars import PeakPeriod, WorkingTerms, due_after
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.quiet_hours import USUAL
from ledger.terms.rates import TRADE_TARGETS, TRADE_WEIGHTS, Targets, Weights
from ledger.terms.retention import Retention
from ledger.terms.shipping import DEFAULT_SERVICES, ShippingService
from ledger.terms.time_zones import zone
from ledger.view import View, noun


def stream() -> str:
    """The retailer's own terms: one stream a tenant."""
    return "policy-retailer"


def find(view: View) -> Policies | None:
    found: Policies | None = view.state(stream())
    return found


# --- facts ----------------------------------------------------------------------------------------


class ClaimTerms(Value, frozen=True):
    """How one carrier, or every carrier without terms of its own, accepts claims.

    The defaults err on the safe side: a deadline that is earlier than the carrier's own loses no claim, and
    no limit of liability is guessed, because one that is too low would leave money with the carrier.
    """

    carrier: str = ""
    """Its short name; empty for every carrier without terms of its own."""
    loss_waiting_days: int = 14
    """A loss can be claimed this long after the last scan, or after the dispatch if nobody ever scanned it."""
    loss_filing_days: int = 60
    """A loss must be claimed within this time after the dispatch."""
    damage_filing_days: int = 14
    """A damage must be claimed within this time after the delivery, or after the last scan if there was none."""
    liability: tuple[Money, ...] = ()
    """The most that a carrier is liable for, one amount a currency; without one it is not limited."""
    loss_documents: tuple[DocumentKind, ...] = (DocumentKind.ORDER, DocumentKind.TRACKING_LOG, DocumentKind.INVOICE)
    damage_documents: tuple[DocumentKind, ...] = tuple(DocumentKind)

    def documents(self, kind: RecoveryKind) -> tuple[DocumentKind, ...]:
        return self.damage_documents if kind is RecoveryKind.CARRIER_DAMAGE else self.loss_documents

    def eligible_at(self, kind: RecoveryKind, last_seen_at: datetime) -> datetime:
        """When it can be claimed; a damage can be seen at once."""
        waiting_days = 0 if kind is RecoveryKind.CARRIER_DAMAGE else self.loss_waiting_days
        return last_seen_at + timedelta(days=waiting_days)

    def file_by(self, kind: RecoveryKind, dispatched_at: datetime, arrived_at: datetime) -> datetime:
        if kind is RecoveryKind.CARRIER_DAMAGE:
            return arrived_at + timedelta(days=self.damage_filing_days)
        return dispatched_at + timedelta(days=self.loss_filing_days)

    def liability_minor(self, currency: str) -> int | None:
        return next((most.amount_minor for most in self.liability if most.currency == currency), None)


class RerouteAfter(Value, frozen=True):
    """How many hours after a missed clock the ledger asks the supplier for its units, so that another sends them.

    None leaves it to people.
    """

    acknowledge_hours: int | None = None
    dispatch_hours: int | None = None

    @property
    def by_clock(self) -> dict[Clock, int]:
        """The hours of the clocks that have some."""
        hours = {Clock.ACKNOWLEDGE: self.acknowledge_hours, Clock.DISPATCH: self.dispatch_hours}
        return {clock: agreed for clock, agreed in hours.items() if agreed is not None}


class Seller(Value, frozen=True):
    """The retailer as it stands on customs papers: a company, no private person."""

    name: str
    address: tuple[str, ...] = ()
    """Street and town, line by line."""
    country: str = ""
    tax_id: str = ""
    """What customs knows it by, such as an EORI or IOSS number."""


class ChannelPacking(Value, frozen=True):
    """What all orders of one channel, or of any, are packed with beside what they name themselves."""

    channel: str = ""
    """Empty for every channel without an entry of its own."""
    words: tuple[str, ...] = ()


class SendingMode(StrEnum):
    """Who sends dispatch instructions, and when."""

    AT_ONCE = "at_once"
    IN_ROUNDS = "in_rounds"
    BY_PERSON = "by_person"


class Sending(Value, frozen=True):
    """When the ledger itself sends drafts to suppliers that it can write to. All others are sent by people."""

    mode: SendingMode = SendingMode.AT_ONCE
    rounds: tuple[str, ...] = ()
    """Times of the day, such as ``09:30``, at which all drafts are sent."""
    time_zone: str = "UTC"
    """In which the rounds are; an IANA name."""

    def ready_by(self, now: datetime) -> datetime | None:
        """Drafts that could be sent since then are to be sent now; None if the ledger sends none."""
        match self.mode:
            case SendingMode.AT_ONCE:
                return now
            case SendingMode.IN_ROUNDS:
                return self._last_round(now)
            case SendingMode.BY_PERSON:
                return None

    def _last_round(self, now: datetime) -> datetime | None:
        local = now.astimezone(zone(self.time_zone))
        days = (local.date(), local.date() - timedelta(days=1))
        rounds = (datetime.combine(day, time.fromisoformat(at), local.tzinfo) for day in days for at in self.rounds)
        return max((each.astimezone(UTC) for each in rounds if each <= now), default=None)


POLICY_TERMS = ("answer_within", "first_answer_within", "send_within", "refund_within")
"""What can be agreed in working time instead of hours."""


class WhenReversed(StrEnum):
    """What to do with what has not left once all the money of a confirmed order went back."""

    HOLD = "hold"
    """It waits: drafts are kept, and suppliers that know of it are told to wait."""
    CANCEL = "cancel"
    """Drafts are cancelled, and suppliers that know of it are asked to cancel."""


class CaseApproval(Value, frozen=True):
    """Cases that need nobody to decide: the remedy is approved as they are opened."""

    reason: str
    """What the customer complains of, as a case names it."""
    remedy: str
    most: Money
    """What the units of the case cost at most."""
    within_days: int = 0
    """How long after they arrived; 0 means at any time."""
    liable: Party = Party.RETAILER


STAFF_ROLES = ("operations", "after_sales", "supplier_manager")
ANY_ROLE = "any"


class Policy(Value, frozen=True):
    """One version of the retailer's terms; the defaults are those of the trade (DOMAIN 2-7)."""

    reservation_minutes: int = 1440
    """How long a reservation is held for an order that is not confirmed yet."""
    return_window_days: int = 14
    """How long after delivery goods can be sent back; then a quiet order is completed."""
    suspected_lost_after_days: int = 14
    """A parcel without a scan for this long is suspected lost."""
    number_reuse_after_days: int = 90
    """A tracking number may name a new parcel this long after its last one was registered."""
    stale_buffer_units: int = 0
    """Units kept back while a feed is stale, in addition to the SKU's own buffer."""
    stale_buffer_basis_points: int = 1000
    """And this share of the stale figure, rounded up."""
    low_stock_units: int = 0
    """Stock with fewer available units is low, unless the SKU has a threshold of its own; 0 means none is agreed."""
    cover_days: int = 3
    """Stock that lasts no longer than this is about to sell out."""
    demand_window_days: int = 28
    """The days over which demand is averaged; at most stock.LONGEST_DEMAND_DAYS."""
    claim_terms: tuple[ClaimTerms, ...] = ()
    """How carriers accept claims; for one that is not named the terms without a name hold, or the defaults."""
    answer_within_hours: int = 24
    """How soon the retailer answers whoever asks it."""
    targets: Targets = Targets()
    """What the rates of suppliers should be."""
    review_weights: Weights = Weights()
    """How much each rate counts in the score of a review."""
    review_every_days: int = 91
    """A supplier is due for a review this long after its last one, or after its approval: a quarter."""
    suspension_least_cases: int = 20
    """A rate that misses its target over at least this many cases proposes to suspend the supplier."""
    message_age_hours: int = 48
    """No message is sent about what happened longer ago than this, and no supplier asked for units overdue then."""
    message_attempts: int = 12
    """How often a message is handed to its sender before it is given up."""
    message_retry_seconds: int = 60
    """How long to wait after the first failed attempt; twice as long after each further one."""
    message_retry_most_seconds: int = 21_600
    """The longest wait."""
    remind_before_hours: int = 6
    """How long before a supplier's clock runs out it is reminded."""
    delay_notice_hours: int = 48
    """How long before the promised day a customer is told that not everything has left."""
    language: str = "en"
    """ISO 639-1; of customers and suppliers in countries that ``languages`` does not name."""
    languages: tuple[tuple[str, str], ...] = (("CN", "zh"), ("HK", "zh"), ("MO", "zh"), ("TW", "zh"))
    """Country, ISO 3166-1 alpha-2, and its language."""
    staff_language: str = "en"
    brand_packs: tuple[str, ...] = ("logo_label", "brand_card")
    """The packing instructions that carry the brand: only a supplier that lists them can follow them."""
    brand_pack_fallback: str = "after_sales_card"
    """What a supplier that cannot follow one of them packs instead."""
    shipping_services: tuple[ShippingService, ...] = DEFAULT_SERVICES
    """What goods may be sent with."""
    customs_allowance_days: int = 3
    """What a promise adds where goods cross a customs border."""
    held_parcel_costs_minor: int = 0
    """What it costs when customs holds a parcel, in the currency of the services: the choice of one counts their held
    shares by it; 0 leaves them out."""
    seller: Seller | None = None
    """Who sells, as customs papers name it; without it they name the supplier alone."""
    first_answer_within_hours: int = 24
    """When a customer who opened a case must have heard from the retailer, whoever turns out liable."""
    evidence_within_days: int = 7
    """How long a customer has to hand in evidence that was asked for."""
    free_return_within_days: int = 0
    """How long after delivery the retailer pays for returning what the customer just does not want; 0 is never."""
    reroute_after: RerouteAfter = RerouteAfter(acknowledge_hours=0, dispatch_hours=0)
    """When overdue units are to go to another supplier: at once, unless agreed otherwise."""
    channel_packing: tuple[ChannelPacking, ...] = ()
    invoice_tolerance_basis_points: int = 0
    """A line of a supplier's invoice may cost so much more than agreed and still be right."""
    invoice_charges_basis_points: int = 0
    """What a supplier's invoice may ask beside its goods, as a share of what they cost."""
    working: WorkingTerms | None = None
    """The retailer's calendar, and those of POLICY_TERMS that are counted by it instead of in hours."""
    peaks: tuple[PeakPeriod, ...] = ()
    """When the retailer's own clocks are longer."""
    on_payment_reversed: WhenReversed = WhenReversed.HOLD
    """What to do with what has not left of a confirmed order whose money all went back."""
    sending: Sending = Sending()
    send_within_hours: int = 24
    """How soon the retailer sends a supplier order that was drafted."""
    refund_within_hours: int = 72
    """How soon money that is owed to a customer is paid back."""

    case_approvals: tuple[CaseApproval, ...] = ()
    """Cases that are approved at once; the first that fits counts."""
    brands: tuple[Brand, ...] = ()
    """What mails look like and whom they come from, by channel."""
    message_window_minutes: int = 3
    """How long a message that is not urgent waits for further steps of the same, to go in one mail with them."""
    staff_mail: tuple[tuple[str, str], ...] = ()
    """Role and e-mail address of the retailer's people; ANY_ROLE is for those without an entry."""

    retention: tuple[Retention, ...] = ()
    """How long what is kept of customers stays once their orders are over, by channel; for good where none says."""

    text_quiet_hours: str = USUAL
    """When customers are not texted, by the clock of where they live, or ``none``; what is due then waits."""

    supplier_days: int = 0
    """How many days the contact of a retired supplier stays; 0 is until it is erased."""

    def retention_of(self, channel: str) -> Retention | None:
        """How long what is kept of customers of a channel stays; None where nobody said."""
        by_channel = {each.channel: each for each in self.retention}
        return by_channel.get(channel, by_channel.get(""))

    def staff_address(self, role: str) -> str:
        """Where staff of this role reads mails; empty if that is not known."""
        by_role = dict(self.staff_mail)
        return by_role.get(role) or by_role.get(ANY_ROLE, "")

    def packing_of(self, channel: str) -> tuple[str, ...]:
        """The packing instructions that every order of a channel has."""
        by_channel = {each.channel: each.words for each in self.channel_packing}
        return by_channel.get(channel, by_channel.get("", ()))

    def answer_by(self, at: datetime) -> datetime:
        """When the retailer answers whoever asks it then."""
        return self.due(at, self.answer_within_hours, "answer_within")

    def first_answer_by(self, at: datetime) -> datetime:
        """When a customer who opens a case then must have heard from the retailer."""
        return self.due(at, self.first_answer_within_hours, "first_answer_within")

    def send_by(self, at: datetime) -> datetime:
        """When a supplier order that is drafted then must have been sent."""
        return self.due(at, self.send_within_hours, "send_within")

    def pay_by(self, at: datetime) -> datetime:
        """When money that is owed to a customer since then must have been paid back."""
        return self.due(at, self.refund_within_hours, "refund_within")

    def due(self, at: datetime, hours: int, term: str) -> datetime:
        """When one of the retailer's own clocks that starts then is due."""
        due = due_after(at, hours, self.peaks, self.working, term)
        assert due is not None, "it has hours, if nothing else"
        return due

    def claim_terms_of(self, carrier: str) -> ClaimTerms:
        by_carrier = {terms.carrier: terms for terms in self.claim_terms}
        return by_carrier.get(carrier) or by_carrier.get("") or ClaimTerms()

    def language_of(self, country: str) -> str:
        """The language to write to customers and suppliers of a country in."""
        return dict(self.languages).get(country, self.language)

    def too_old(self, happened_at: datetime, now: datetime) -> bool:
        """Whether it happened so long ago that nobody acts on it: an import of old orders sends no mail."""
        return now - happened_at > timedelta(hours=self.message_age_hours)


TRADE = Policy(targets=TRADE_TARGETS, review_weights=TRADE_WEIGHTS)
"""The terms of the trade, which hold until others are agreed."""


class PolicyAgreed(Fact, frozen=True, tag="policy.agreed"):
    """From effective_from on, these terms hold."""

    policy: Policy
    effective_from: datetime
    at: datetime


PolicyFact = PolicyAgreed

# --- state ----------------------------------------------------------------------------------------


class Policies(Value, frozen=True):
    """All versions, the latest effective first; before the first one the trade's defaults hold."""

    versions: tuple[tuple[datetime, Policy], ...] = ()

    def in_force(self, at: datetime) -> Policy:
        return self.version_at(at)[1]

    def version_at(self, at: datetime) -> tuple[datetime | None, Policy]:
        """The terms in force with the instant from which they hold; None if none were agreed by then."""
        return next(((since, policy) for since, policy in self.versions if since <= at), (None, TRADE))

    def to_come(self, at: datetime) -> list[tuple[datetime, Policy]]:
        """What was agreed for later, the earliest first; of two versions for one instant the later agreed one."""
        return list({since: policy for since, policy in reversed(self.versions) if since > at}.items())


def evolve(policies: Policies | None, fact: PolicyFact) -> Policies:
    versions = (policies or Policies()).versions
    match fact:
        case PolicyAgreed(policy=policy, effective_from=since):
            # Sorting is stable, so of two versions for one instant the later agreed one is found first.
            return Policies(tuple(sorted(((since, policy), *versions), key=lambda version: version[0], reverse=True)))
        case _:
            assert_never(fact)


NOUN = noun("policy", PolicyFact, evolve)


def policy_at(policies: Policies | None, at: datetime) -> Policy:
    """The terms in force at an instant."""
    return policies.in_force(at) if policies else TRADE


# --- decisions ------------------------------------------------------------------------------------


def agree(
    policies: Policies | None, policy: Policy, effective_from: datetime, at: datetime, seen: int | None = None
) -> list[PolicyFact]:
    """Terms from a date on. The same terms from the same date again record nothing.

    seen is how many versions there were when they were drawn up; None skips that check.
    """
    versions = policies.versions if policies else ()
    if policy == next((agreed for since, agreed in versions if since == effective_from), None):
        return []
    require_seen("the policy", seen, len(versions))
    return [PolicyAgreed(policy, effective_from.astimezone(UTC), at)]
