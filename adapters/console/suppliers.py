"""``fulfilment supplier``: who may be given orders, and on which terms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console import bulk, words
from adapters.console.history import print_history
from adapters.console.reports import LIMIT, SUPPLIER, figures, head, print_rates, print_rows, rows_of
from adapters.console.session import Nouns, Session, option_at, option_request_id
from adapters.console.words import at, minute, money, word
from fulfilment.v1 import audit_pb2, batch_pb2, common_pb2, rates_pb2, supplier_reviews_pb2, suppliers_pb2

_DEFAULT_HOURS: dict[str, Any] = {
    "acknowledge_within_hours": 24,
    "dispatch_within_hours": 48,
    "express_dispatch_within_hours": 24,
    "answer_within_hours": 24,
}
"""The trade's usual terms, which ``add --approve`` agrees."""


@click.group(cls=Nouns)
def supplier() -> None:
    """Register suppliers, agree terms, approve, suspend."""


def _read(session: Session, supplier_id: str, at_least: int = 0, personal: bool = False) -> suppliers_pb2.Supplier:
    request = suppliers_pb2.GetSupplierRequest(supplier_id=supplier_id, at_least=at_least, with_personal_data=personal)
    return session.client.call(session.client.suppliers.GetSupplier, request).supplier


def _done(session: Session, supplier_id: str, rpc: Any, request: Any) -> None:
    receipt: common_pb2.Receipt = session.client.call(rpc, request)
    after = _read(session, supplier_id, receipt.position)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "supplier": words.as_json(after)})
    else:
        session.out.title(f"Supplier {supplier_id}", _standing(after))


def _standing(each: suppliers_pb2.Supplier) -> str:
    return word(suppliers_pb2.SupplierStanding, each.standing)


@supplier.command()
@click.argument("supplier_id")
@click.option("--name", required=True, help="The company's name.")
@click.option("--country", metavar="CODE", help="Where it sits, such as CN.")
@click.option("--contact", help="Who to talk to; sealed.")
@click.option("--return-address", help="Where returns go; sealed.")
@click.option("--pays-return-freight", is_flag=True, help="The supplier pays the freight of returns.")
@click.option("--packing", multiple=True, metavar="WORD", help="What it can pack with, such as logo_label.")
@click.option("--approve", "approved", is_flag=True, help="A sample passed, the usual terms are agreed: approve it.")
@option_at("When it became known")
@option_request_id()
@click.pass_obj
def add(
    session: Session,
    supplier_id: str,
    name: str,
    country: str | None,
    contact: str,
    return_address: str,
    pays_return_freight: bool,
    packing: tuple[str, ...],
    approved: bool,
    at: Any,
    request_id: str | None,
) -> None:
    """Register a supplier as a candidate.

    With --approve also record a passed sample and the usual terms (acknowledge 24 h, dispatch 48 h,
    express 24 h, answer 24 h, no compensation), and approve it.
    """
    client = session.client
    request_id = client.context(request_id).request_id
    registered = suppliers_pb2.RegisterSupplierRequest(
        context=client.context(request_id),
        supplier_id=supplier_id,
        name=name,
        country=(country or "").upper(),
        contact=contact,
        return_address=return_address,
        return_freight_paid_by_supplier=pays_return_freight,
        packing=packing,
        at=at,
    )
    if not approved:
        _done(session, supplier_id, client.suppliers.RegisterSupplier, registered)
        return
    at = at or _now()
    known: dict[str, Any] = {"supplier_id": supplier_id, "at": at}
    client.call(client.suppliers.RegisterSupplier, registered)
    sampled = suppliers_pb2.ReviewSampleRequest(
        context=client.context(request_id, "/sample"),
        material_matches=True,
        packaging_matches=True,
        manual_matches=True,
        **known,
    )
    client.call(client.suppliers.ReviewSample, sampled)
    agreed = suppliers_pb2.AgreeTermsRequest(
        context=client.context(request_id, "/terms"),
        agreement=suppliers_pb2.Agreement(effective_from=at, **_DEFAULT_HOURS),
        **known,
    )
    client.call(client.suppliers.AgreeTerms, agreed)
    approval = suppliers_pb2.ApproveSupplierRequest(context=client.context(request_id, "/approve"), **known)
    _done(session, supplier_id, client.suppliers.ApproveSupplier, approval)


_POINTS = click.IntRange(0, 10_000)


@supplier.command()
@click.argument("supplier_id")
@click.option("--from", "effective_from", type=words.INSTANT, help="From then on; now if not said.")
@click.option("--until", type=words.INSTANT, help="Until before then; without end if not said.")
@click.option("--acknowledge", type=words.whole(), metavar="HOURS", help="To acknowledge a supplier order.")
@click.option("--dispatch", type=words.whole(), metavar="HOURS", help="To dispatch it.")
@click.option("--express-dispatch", type=words.whole(), metavar="HOURS", help="To dispatch an express order.")
@click.option("--first-scan", type=words.whole(), metavar="HOURS", help="From dispatch to the carrier's first scan.")
@click.option("--answer", type=words.whole(), metavar="HOURS", help="To answer a message.")
@click.option("--feed-interval", type=words.whole(), metavar="HOURS", help="Within which a stock feed is to come.")
@click.option("--compensation", type=_POINTS, metavar="BASIS_POINTS", help="For a late dispatch; 500 is 5 %.")
@click.option("--cap", metavar="AMOUNT:CURRENCY", help="The most that is owed for one breach, such as 50.00:EUR.")
@click.option("--acknowledgement-target", type=_POINTS, metavar="BASIS_POINTS", help="To be acknowledged in time.")
@click.option("--response-target", type=_POINTS, metavar="BASIS_POINTS", help="To be answered in time.")
@click.option(
    "--peak",
    "peaks",
    type=(words.INSTANT, words.INSTANT, words.whole(1)),
    multiple=True,
    metavar="SINCE UNTIL HOURS",
    help="A time in which the clocks are longer by so many hours; once for each.",
)
@click.option("--keep", is_flag=True, help="Keep what is not named as the terms in force then have it.")
@option_at("When it was signed")
@option_request_id()
@click.pass_obj
def terms(session: Session, /, supplier_id: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Record agreed terms.

    A clock that is not named was not agreed and does not run, unless --keep takes it over.
    """
    since = said["effective_from"] or _now()
    known = _read(session, supplier_id).agreements if said["keep"] else None
    agreement = suppliers_pb2.Agreement() if known is None else _in_force(known, supplier_id, since)
    named = {
        "effective_until": said["until"],
        "acknowledge_within_hours": said["acknowledge"],
        "dispatch_within_hours": said["dispatch"],
        "express_dispatch_within_hours": said["express_dispatch"],
        "first_scan_within_hours": said["first_scan"],
        "answer_within_hours": said["answer"],
        "compensation_basis_points": said["compensation"],
        "compensation_cap": words.to_money(said["cap"]) if said["cap"] else None,
        "feed_interval_hours": said["feed_interval"],
        "acknowledgement_target_basis_points": said["acknowledgement_target"],
        "response_target_basis_points": said["response_target"],
        "effective_from": since,
    }
    for name, value in named.items():
        if value is not None:
            agreement.ClearField(name)  # type: ignore[arg-type]
            agreement.MergeFrom(suppliers_pb2.Agreement(**{name: value}))
    for begin, end, hours in said["peaks"]:
        agreement.peaks.add(since=begin, until=end, extra_hours=hours)
    request = suppliers_pb2.AgreeTermsRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        agreement=agreement,
        at=at,
        seen_agreements=None if known is None else len(known),
    )
    _done(session, supplier_id, session.client.suppliers.AgreeTerms, request)
    if not session.json:
        _print_agreement(session, agreement)


def _in_force(
    agreements: Iterable[suppliers_pb2.Agreement], supplier_id: str, stamp: Timestamp
) -> suppliers_pb2.Agreement:
    """The terms that hold then; they are listed with the latest first."""
    instant = stamp.ToDatetime(tzinfo=UTC)
    for each in agreements:
        since, until = at(each, "effective_from"), at(each, "effective_until")
        if since is not None and since <= instant and (until is None or instant < until):
            return each
    raise click.UsageError(f"{supplier_id} has no terms then that --keep could take over")


def _now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


@supplier.command()
@click.argument("supplier_id")
@click.option("--material/--no-material", default=True, help="The material is as described.")
@click.option("--packaging/--no-packaging", default=True, help="The packaging is as described.")
@click.option("--manual/--no-manual", default=True, help="The manual is as described.")
@option_at()
@option_request_id()
@click.pass_obj
def sample(
    session: Session,
    supplier_id: str,
    material: bool,
    packaging: bool,
    manual: bool,
    at: Any,
    request_id: str | None,
) -> None:
    """Record how a sample compares with its description; it passed unless said otherwise."""
    request = suppliers_pb2.ReviewSampleRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        material_matches=material,
        packaging_matches=packaging,
        manual_matches=manual,
        at=at,
    )
    _done(session, supplier_id, session.client.suppliers.ReviewSample, request)


@supplier.command()
@click.argument("supplier_id")
@option_at()
@option_request_id()
@click.pass_obj
def approve(session: Session, supplier_id: str, at: Any, request_id: str | None) -> None:
    """Let a supplier be given orders."""
    request = suppliers_pb2.ApproveSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, at=at
    )
    _done(session, supplier_id, session.client.suppliers.ApproveSupplier, request)


@supplier.command()
@click.argument("supplier_id")
@click.argument("sku", required=False)
@bulk.option_lines("sku, cost, currency, and if wanted minimum_quantity, lead_time_days, backups")
@click.option("--cost", metavar="AMOUNT:CURRENCY", help="What one unit costs, such as 3.50:EUR.")
@click.option("--minimum", type=words.whole(1), default=1, metavar="UNITS", help="The least an order must have.")
@click.option("--lead-time", type=words.whole(0), default=0, metavar="DAYS", help="From order to dispatch.")
@click.option("--backup", "backups", multiple=True, metavar="SUPPLIER_ID", help="Others who have it, the best first.")
@option_at("Since when")
@option_request_id()
@click.pass_obj
def offer(
    session: Session,
    /,
    supplier_id: str,
    sku: str | None,
    source: str | None,
    at: Any,
    request_id: str | None,
    **said: Any,
) -> int | None:
    """Record what a supplier offers of a SKU, or of those of a file.

    \b
      fulfilment supplier offer acme TEA --cost 3.50:EUR --backup bolt
      fulfilment supplier offer acme --csv offers.csv
    """
    if source is not None and sku is None and said["cost"] is None:
        return _offer_lines(session, bulk.read(source), supplier_id, at, request_id)
    if source is not None or sku is None or said["cost"] is None:
        raise click.UsageError("Name a SKU and its --cost, or a file of them with --csv.")
    request = suppliers_pb2.OfferSkuRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        offer=suppliers_pb2.Offer(
            sku=sku,
            cost=words.to_money(said["cost"]),
            minimum_quantity=said["minimum"],
            lead_time_days=said["lead_time"],
            backups=said["backups"],
        ),
        at=at,
    )
    _done(session, supplier_id, session.client.suppliers.OfferSku, request)
    return None


_OFFER_COLUMNS = ("sku", "cost", "currency"), ("minimum_quantity", "lead_time_days", "backups")


def _offer_lines(session: Session, file: bulk.Source, supplier_id: str, at: Any, request_id: str | None) -> int:
    def command(row: bulk.Row, request_id: str) -> batch_pb2.BatchCommand:
        offered = suppliers_pb2.Offer(
            sku=row.required("sku"),
            cost=row.money("cost", "currency"),
            minimum_quantity=row.whole("minimum_quantity", 1),
            lead_time_days=row.whole("lead_time_days", 0),
            backups=row.optional("backups").split(),
        )
        context = session.client.context(request_id)
        request = suppliers_pb2.OfferSkuRequest(context=context, supplier_id=supplier_id, offer=offered, at=at)
        return batch_pb2.BatchCommand(offer_sku=request)

    about = ("offer", supplier_id, str(at))
    return bulk.send_lines(session, file, _OFFER_COLUMNS, command, request_id or file.request_id(*about))


@supplier.command()
@click.argument("supplier_id")
@click.option("--reason", metavar="TEXT", help="Why.")
@option_at()
@option_request_id()
@click.pass_obj
def suspend(session: Session, supplier_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Stop new orders; running ones go on."""
    request = suppliers_pb2.SuspendSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, reason=reason, at=at
    )
    _done(session, supplier_id, session.client.suppliers.SuspendSupplier, request)


@supplier.command()
@click.argument("supplier_id")
@option_at()
@option_request_id()
@click.pass_obj
def reinstate(session: Session, supplier_id: str, at: Any, request_id: str | None) -> None:
    """Let a suspended supplier be given orders again."""
    request = suppliers_pb2.ReinstateSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, at=at
    )
    _done(session, supplier_id, session.client.suppliers.ReinstateSupplier, request)


@supplier.command()
@click.argument("supplier_id")
@click.option("--reason", metavar="TEXT", help="Why.")
@option_at()
@option_request_id()
@click.pass_obj
def retire(session: Session, supplier_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """End the use of a supplier for good."""
    request = suppliers_pb2.RetireSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, reason=reason, at=at
    )
    _done(session, supplier_id, session.client.suppliers.RetireSupplier, request)


# --- reviews --------------------------------------------------------------------------------------

_RATE = click.option("--rate", type=words.choice(rates_pb2.RateName), required=True, help="The rate it is about.")


@supplier.command()
@click.argument("supplier_id")
@click.option("--since", type=words.INSTANT, help="From then on; the policy's time between reviews if not said.")
@click.option("--until", type=words.INSTANT, help="Before then; now if not said.")
@option_at()
@option_request_id()
@click.pass_obj
def review(session: Session, supplier_id: str, since: Any, until: Any, at: Any, request_id: str | None) -> None:
    """Record the rates of a period with a score and a verdict."""
    request = suppliers_pb2.ReviewSupplierRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        since=since,
        until=until,
        at_least=head(session),
        at=at,
    )
    _done(session, supplier_id, session.client.suppliers.ReviewSupplier, request)
    if not session.json:
        after = _read(session, supplier_id)
        _print_review(session, after)
        session.out.blank()
        print_rates(session, after.last_review.rates)


@supplier.command()
@click.argument("supplier_id")
@_RATE
@option_at()
@option_request_id()
@click.pass_obj
def accept(session: Session, supplier_id: str, rate: str, at: Any, request_id: str | None) -> None:
    """Suspend a supplier as was proposed for one of its rates."""
    request = suppliers_pb2.AcceptSuspensionRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        rate=words.number(rates_pb2.RateName, rate),
        at=at,
    )
    _done(session, supplier_id, session.client.suppliers.AcceptSuspension, request)


@supplier.command()
@click.argument("supplier_id")
@_RATE
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@option_at()
@option_request_id()
@click.pass_obj
def dismiss(session: Session, supplier_id: str, rate: str, reason: str, at: Any, request_id: str | None) -> None:
    """Decide against a proposal to suspend a supplier."""
    request = suppliers_pb2.DismissSuspensionRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        rate=words.number(rates_pb2.RateName, rate),
        reason=reason,
        at=at,
    )
    _done(session, supplier_id, session.client.suppliers.DismissSuspension, request)


@supplier.command()
@SUPPLIER
@click.option("--state", type=words.choice(suppliers_pb2.ProposalState), help="Only in this state.")
@LIMIT
@click.pass_obj
def proposals(session: Session, supplier: str, state: str | None, limit: int | None) -> None:
    """List the proposals to suspend a supplier whose rates have not recovered."""
    request = supplier_reviews_pb2.ListSuspensionProposalsRequest(
        supplier_id=supplier, state=words.number(suppliers_pb2.ProposalState, state)
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListSuspensionProposals, request, "proposals"),
        limit,
        ["supplier", "rate", ">part", ">of", ">%", ">target %", "proposed", "state"],
        lambda each: [
            each.supplier_id,
            word(rates_pb2.RateName, each.rate.name),
            *figures(each.rate),
            minute(each, "proposed_at"),
            word(suppliers_pb2.ProposalState, each.state),
        ],
        "Nothing is proposed.",
    )


@supplier.command()
@click.option("--due-within", type=click.IntRange(0, 1000), default=0, metavar="DAYS", help="Due within so many days.")
@LIMIT
@click.pass_obj
def due(session: Session, due_within: int, limit: int | None) -> None:
    """List the suppliers whose review is due, the longest overdue first."""
    request = supplier_reviews_pb2.ListReviewsDueRequest(due_within_days=due_within)
    print_rows(
        session,
        rows_of(session, session.client.reports.ListReviewsDue, request, "reviews"),
        limit,
        ["supplier", "review due", "last review", ">score", "verdict"],
        lambda each: [
            each.supplier_id,
            minute(each, "due"),
            minute(each, "reviewed_at"),
            each.score_basis_points if each.HasField("score_basis_points") else "",
            word(suppliers_pb2.Verdict, each.verdict) if each.verdict else "",
        ],
        "No review is due.",
    )


def _print_review(session: Session, found: suppliers_pb2.Supplier) -> None:
    last = found.last_review
    session.out.facts(
        [
            ("reviewed", f"{minute(last, 'at')}, of {minute(last, 'since')} to {minute(last, 'until')}"),
            ("score", f"{last.score_basis_points} of 10000" if last.HasField("score_basis_points") else "no data"),
            ("verdict", word(suppliers_pb2.Verdict, last.verdict)),
            *(
                ("suspension", f"{word(suppliers_pb2.ProposalState, each.state)} for {_why(each.rate)}")
                for each in found.proposals
            ),
        ]
    )


def _why(rate: rates_pb2.Rate) -> str:
    return f"{word(rates_pb2.RateName, rate.name)}, {rate.numerator} of {rate.denominator}"


# --- show -----------------------------------------------------------------------------------------


@supplier.command("list")
@click.option("--standing", "standings", type=words.choice(suppliers_pb2.SupplierStanding), multiple=True)
@LIMIT
@click.pass_obj
def list_(session: Session, standings: tuple[str, ...], limit: int | None) -> None:
    """List suppliers with their standing, their last review and when the next one is due."""
    request = supplier_reviews_pb2.ListSuppliersRequest(
        standings=[words.number(suppliers_pb2.SupplierStanding, standing) for standing in standings]
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListSuppliers, request, "suppliers"),
        limit,
        ["supplier", "standing", "last review", ">score", "verdict", "review due", ">open proposals"],
        lambda each: [
            each.supplier_id,
            word(suppliers_pb2.SupplierStanding, each.standing),
            minute(each, "reviewed_at"),
            each.score_basis_points if each.HasField("score_basis_points") else "",
            word(suppliers_pb2.Verdict, each.verdict) if each.verdict else "",
            minute(each, "review_due"),
            each.open_proposals or "",
        ],
        "There are no such suppliers.",
    )


@supplier.command()
@click.argument("supplier_id")
@click.option("--personal", is_flag=True, help="Whom to talk to and where returns go too.")
@click.pass_obj
def show(session: Session, supplier_id: str, personal: bool) -> None:
    """Show a supplier, its terms and offers."""
    found = _read(session, supplier_id, personal=personal)
    if session.json:
        session.show(found)
        return
    session.out.title(f"Supplier {supplier_id}", _standing(found))
    session.out.facts(
        [
            ("name", found.name),
            ("country", found.country),
            ("sample", "passed" if found.sample_passed else "not passed"),
            ("packs with", ", ".join(found.packing)),
            ("return freight", "paid by the supplier" if found.return_freight_paid_by_supplier else ""),
            ("contact", found.contact),
            ("returns go to", found.return_address),
        ]
    )
    if found.HasField("last_review"):
        _print_review(session, found)
    for agreement in found.agreements:
        session.out.blank()
        _print_agreement(session, agreement)
    if found.offers:
        session.out.blank()
        rows = [
            [
                each.sku,
                money(each.cost.amount_minor, each.cost.currency),
                each.minimum_quantity,
                each.lead_time_days,
                ", ".join(each.backups),
            ]
            for each in found.offers
        ]
        session.out.table(["sku", ">cost", ">minimum", ">lead days", "backups"], rows)


@supplier.command()
@click.argument("supplier_id")
@click.pass_obj
def history(session: Session, supplier_id: str) -> None:
    """List the facts of a supplier as they were recorded: who approved, agreed, reviewed, suspended, and why."""
    print_history(session, audit_pb2.GetHistoryRequest(supplier_id=supplier_id))


_SHARES: dict[str, Any] = {
    "acknowledged": "acknowledgement_target_basis_points",
    "answered": "response_target_basis_points",
}


def _print_agreement(session: Session, agreement: suppliers_pb2.Agreement) -> None:
    until = minute(agreement, "effective_until")
    session.out.title("Terms", f"from {minute(agreement, 'effective_from')}" + (f" until {until}" if until else ""))
    clocks = ("acknowledge_within", "dispatch_within", "express_dispatch_within", "first_scan_within", "answer_within")
    hours = [(name.replace("_", " "), f"{name}_hours") for name in clocks] + [("feed every", "feed_interval_hours")]
    points, cap = agreement.compensation_basis_points, agreement.compensation_cap
    limit = f", at most {money(cap.amount_minor, cap.currency)}" if agreement.HasField("compensation_cap") else ""
    session.out.facts(
        [
            *((label, f"{getattr(agreement, name)} h") for label, name in hours if agreement.HasField(name)),  # type: ignore[arg-type]
            ("compensation", f"{points / 100:g} % of the net line amount{limit}" if points else "none"),
            *(
                (f"{name} in time", f"at least {getattr(agreement, field) / 100:g} %")
                for name, field in _SHARES.items()
                if agreement.HasField(field)
            ),
            *(
                ("peak", f"{minute(each, 'since')} to {minute(each, 'until')}: {each.extra_hours} h longer")
                for each in agreement.peaks
            ),
        ]
    )
