"""The retailer's own terms: read as they hold, changed by name, and none of them lost on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapters.console.main import run
from adapters.console.terms import policies
from fulfilment.v1 import admin_pb2, calendars_pb2, common_pb2, people_pb2, recoveries_pb2, shipping_pb2, suppliers_pb2
from tests.support.service import (
    Client,
    Service,
    context,
    error_info,
    reason_of,
    stamp,
)
from tests.support.terminal import CommandResult, Shell

NOW = datetime.now(UTC).replace(microsecond=0)
BOAT = shipping_pb2.ShippingService(
    code="boat",
    carriers=["cosco"],
    international=True,
    days_from=30,
    days_to=45,
    cost=common_pb2.Money(amount_minor=900, currency="CNY"),
    cost_per_kg_minor=70,
    tracked=True,
    most_weight_grams=9000,
    most_value=[common_pb2.Money(amount_minor=15_000, currency="EUR")],
    origins=["CN"],
    destinations=["BR", "DE"],
)
DHL = recoveries_pb2.ClaimTerms(
    carrier="dhl",
    loss_waiting_days=0,
    loss_filing_days=40,
    damage_filing_days=6,
    liability=[common_pb2.Money(amount_minor=50_000, currency="EUR")],
    loss_documents=[recoveries_pb2.CLAIM_DOCUMENT_KIND_INVOICE],
    damage_documents=[recoveries_pb2.CLAIM_DOCUMENT_KIND_PHOTO],
)
EVERYTHING = admin_pb2.Policy(
    reservation_minutes=11,
    return_window_days=12,
    suspected_lost_after_days=13,
    number_reuse_after_days=14,
    stale_buffer_units=15,
    stale_buffer_basis_points=0,
    low_stock_units=17,
    cover_days=18,
    demand_window_days=19,
    claim_terms=[DHL],
    answer_within_hours=20,
    rate_targets=admin_pb2.RateTargets(**dict.fromkeys(admin_pb2.RateTargets.DESCRIPTOR.fields_by_name, 21)),
    rate_weights=admin_pb2.RateWeights(**dict.fromkeys(admin_pb2.RateWeights.DESCRIPTOR.fields_by_name, 22)),
    review_every_days=23,
    suspension_least_cases=24,
    message_age_hours=25,
    message_attempts=26,
    message_retry_seconds=27,
    message_retry_most_seconds=28,
    remind_before_hours=29,
    delay_notice_hours=30,
    language="fr",
    languages={"DE": "de"},
    staff_mail={"any": "team@brook.example"},
    message_window_minutes=5,
    text_quiet_hours="22:00-07:30",
    staff_language="zh",
    brand_packs=["stamp"],
    brand_pack_fallback="flyer",
    shipping_services=[BOAT],
    customs_allowance_days=0,
    held_parcel_costs_minor=36,
    seller=admin_pb2.Seller(name="Shop Ltd", address=["1 Oak Street"], country="DE", tax_id="DE1"),
    first_answer_within_hours=31,
    evidence_within_days=32,
    free_return_within_days=33,
    reroute_after=admin_pb2.RerouteAfter(dispatch_hours=34),
    sending=admin_pb2.Sending(
        mode=admin_pb2.SENDING_MODE_IN_ROUNDS, rounds=["09:00", "15:30"], time_zone="Asia/Shanghai"
    ),
    send_within_hours=35,
    refund_within_hours=38,
    retention=[
        people_pb2.Retention(
            channel="shop",
            customer_days=3650,
            evidence_days=400,
            texts_days=401,
            letters_days=402,
            invoice_days=3651,
            delivery_days=403,
            from_shipment=True,
        )
    ],
    supplier_days=39,
    case_approvals=[
        admin_pb2.CaseApproval(
            reason="damaged",
            remedy="refund",
            most=common_pb2.Money(amount_minor=2000, currency="EUR"),
            within_days=14,
            liable="carrier",
        )
    ],
    channel_packing=[admin_pb2.ChannelPacking(channel="shop", words=["ribbon"])],
    invoice_tolerance_basis_points=36,
    invoice_charges_basis_points=37,
    on_payment_reversed="cancel",
    working=calendars_pb2.WorkingTerms(
        calendar=calendars_pb2.WorkingCalendar(
            time_zone="Europe/Berlin",
            working_days=[calendars_pb2.WEEKDAY_MONDAY, calendars_pb2.WEEKDAY_SATURDAY],
            opens="08:00",
            closes="24:00",
            cut_off="15:30",
            holidays=["2026-12-25", "2027-01-01"],
            extra_days=["2026-12-27"],
        ),
        terms={
            "answer_within": calendars_pb2.WorkingTime(hours=8),
            "first_answer_within": calendars_pb2.WorkingTime(days=1),
        },
    ),
    peaks=[suppliers_pb2.PeakPeriod(since=stamp(NOW), until=stamp(NOW + timedelta(days=9)), extra_hours=35)],
    brands=[
        admin_pb2.Brand(
            channel="shop",
            name="Brook & Sons",
            colour="#a1502d",
            logo_url="https://brook.example/logo.png",
            signature=["Brook & Sons Ltd", "1 Mill Lane, Leeds"],
            mail_from="orders@brook.example",
            reply_to="help@brook.example",
            order_link="https://brook.example/orders/{order}",
        )
    ],
)


@pytest.fixture
def client(service: Service, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Each test has a tenant, and so a policy, of its own."""
    name = tenant_of(request)
    with Client(service.address, name) as client:
        client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant=name))
        yield client


def tenant_of(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "_", request.node.name)[5:44].strip("_")


@pytest.fixture
def ff(client: Client, service: Service, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Shell:
    def type_in(*arguments: str) -> CommandResult:
        code = run([*arguments, "--server", service.address, "--tenant", tenant_of(request)])
        printed = capsys.readouterr()
        return CommandResult(code, printed.out, printed.err)

    return type_in


def agree(client: Client, policy: admin_pb2.Policy, since: datetime) -> int:
    request = admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=stamp(since))
    return int(client.admin.AgreePolicy(request).position)


def read(client: Client, at: datetime | None = None, at_least: int = 0) -> admin_pb2.GetPolicyResponse:
    request = admin_pb2.GetPolicyRequest(at=stamp(at) if at else None, at_least=at_least)
    found: admin_pb2.GetPolicyResponse = client.admin.GetPolicy(request)
    return found


# --- reading --------------------------------------------------------------------------------------


def test_before_anything_is_agreed_the_defaults_hold(client: Client):
    found = read(client)
    assert found.in_force.policy == found.defaults
    assert not found.in_force.HasField("effective_from")
    assert (found.defaults.return_window_days, found.defaults.rate_targets.order_defect) == (14, 100)
    assert len(found.defaults.shipping_services) == 6


def test_every_term_is_answered_as_it_was_agreed(client: Client):
    assert {field.name for field, _ in EVERYTHING.ListFields()} == set(admin_pb2.Policy.DESCRIPTOR.fields_by_name)
    position = agree(client, EVERYTHING, NOW - timedelta(days=1))
    found = read(client, at_least=position)
    assert found.in_force.policy == EVERYTHING
    assert found.in_force.effective_from == stamp(NOW - timedelta(days=1))


def test_what_is_answered_can_be_agreed_again_and_records_nothing(client: Client):
    since = NOW - timedelta(days=1)
    for policy in (EVERYTHING, read(client).defaults):
        position = agree(client, policy, since)
        assert agree(client, read(client, at_least=position).in_force.policy, since) == position


def test_versions_hold_from_their_dates_on_and_the_later_agreed_one_of_two(client: Client):
    for days, cover_days in ((-2, 4), (10, 5), (20, 6), (10, 7)):
        position = agree(client, admin_pb2.Policy(cover_days=cover_days), NOW + timedelta(days=days))
    found = read(client, at_least=position)
    assert found.in_force.policy.cover_days == 4
    assert [(each.effective_from, each.policy.cover_days) for each in found.to_come] == [
        (stamp(NOW + timedelta(days=10)), 7),
        (stamp(NOW + timedelta(days=20)), 6),
    ]
    later = read(client, at=NOW + timedelta(days=10))
    assert (later.in_force.policy.cover_days, len(later.to_come)) == (7, 1)


@pytest.mark.parametrize(
    "name",
    [
        "return_window_days",
        "number_reuse_after_days",
        "stale_buffer_units",
        "stale_buffer_basis_points",
        "low_stock_units",
        "message_age_hours",
        "remind_before_hours",
        "delay_notice_hours",
        "customs_allowance_days",
        "free_return_within_days",
    ],
)
def test_none_at_all_is_an_answer_and_not_the_default(client: Client, ff: Shell, name: str):
    assert ff("policy", "set", f"{name}=7").code == 0
    assert ff("policy", "set", f"{name}=0").code == 0
    assert getattr(read(client).in_force.policy, name) == 0
    assert ff("policy", "set", f"{name}=").code == 0
    assert read(client).in_force.policy == read(client).defaults


def test_a_figure_that_cannot_be_none_is_refused_with_its_bounds(ff: Shell):
    result = ff("policy", "set", "message_attempts=0")
    assert (result.code, result.err) == (1, "Error: message_attempts: 0 is not between 1 and 1000 [MALFORMED]\n")


def test_of_two_who_change_the_policy_at_once_the_second_is_refused(client: Client):
    seen = read(client).versions
    first, second = (
        admin_pb2.AgreePolicyRequest(
            context=context(), policy=admin_pb2.Policy(cover_days=days), effective_from=stamp(NOW), seen_versions=seen
        )
        for days in (5, 6)
    )
    client.admin.AgreePolicy(first)
    with pytest.raises(grpc.RpcError) as refused:
        client.admin.AgreePolicy(second)
    assert reason_of(refused.value) == "CHANGED_MEANWHILE"
    assert error_info(refused.value).metadata == {"seen": "0", "versions": "1"}
    again = read(client)
    assert (again.in_force.policy.cover_days, again.versions) == (5, 1)
    second.context.request_id, second.seen_versions = "again", again.versions
    client.admin.AgreePolicy(second)
    assert read(client).in_force.policy.cover_days == 6


def test_the_console_names_the_policy_that_it_began_from(ff: Shell, client: Client, monkeypatch: pytest.MonkeyPatch):
    shown = policies._read

    def shown_before_another_changes_it(*arguments: Any) -> admin_pb2.GetPolicyResponse:
        found = shown(*arguments)
        agree(client, admin_pb2.Policy(cover_days=5), NOW)
        return found

    monkeypatch.setattr(policies, "_read", shown_before_another_changes_it)
    result = ff("policy", "set", "low_stock_units=9")
    assert result.code == 1
    assert "the policy changed since it was read: 0 versions were seen, there are 1; read it again" in result.err
    assert read(client).in_force.policy.cover_days == 5


def test_a_policy_is_not_read_beyond_the_log(client: Client):
    with pytest.raises(grpc.RpcError) as refused:
        read(client, at_least=1000)
    assert reason_of(refused.value) == "BEYOND_THE_LOG"


# --- at the console -------------------------------------------------------------------------------


def test_the_policy_is_shown_with_what_is_a_default(ff: Shell, client: Client):
    assert "nothing was agreed: the trade's defaults" in ff("policy", "show").out
    agree(client, admin_pb2.Policy(return_window_days=30, claim_terms=[DHL]), NOW - timedelta(days=1))
    agree(client, admin_pb2.Policy(return_window_days=60), NOW + timedelta(days=9))
    shown = ff("policy", "show").out
    assert re.search(r"return_window_days +30 +no, 14\n", shown)
    assert re.search(r"rate_targets.order_error +200 \(2 %\) +yes\n", shown)
    assert re.search(r"claim_terms.dhl +loss waiting days 0; .*liability 500.00 EUR; .* no, none\n", shown)
    assert re.search(r"seller +none +yes\n", shown)
    assert re.search(r"return_window_days +30 +60\n", shown)
    assert ff("policy", "show", "--at", f"{NOW + timedelta(days=10)}", "--json").json["in_force"]["policy"][
        "return_window_days"
    ] == 60  # fmt: skip


def test_one_term_is_changed_and_all_others_stay(ff: Shell, client: Client):
    agree(client, EVERYTHING, NOW - timedelta(days=1))
    result = ff("policy", "set", "cover_days=5", "rate_targets.order_error=150", "languages.FR=fr", "brand_packs=a, b")
    assert re.search(r"rate_targets.order_error +21 \(0.21 %\) +150 \(1.5 %\)\n", result.out)
    wanted = admin_pb2.Policy()
    wanted.CopyFrom(EVERYTHING)
    wanted.cover_days = 5
    wanted.rate_targets.order_error = 150
    wanted.languages["FR"] = "fr"
    wanted.brand_packs[:] = ["a", "b"]
    assert read(client).in_force.policy == wanted


def test_tables_come_from_a_file_and_what_it_does_not_name_stays(ff: Shell, client: Client, tmp_path: Path):
    agree(client, EVERYTHING, NOW - timedelta(days=1))
    path = tmp_path / "terms.json"
    path.write_text(json.dumps({"claim_terms": [{"carrier": "ups"}], "seller": {"taxId": "DE2"}, "low_stock_units": 0}))
    result = ff("policy", "set", "--file", str(path), "--json")
    assert list(result.json["changed"]) == ["low_stock_units", "claim_terms.dhl", "seller.tax_id", "claim_terms.ups"]
    policy = read(client).in_force.policy
    assert [each.carrier for each in policy.claim_terms] == ["ups"]
    assert (policy.seller.name, policy.seller.tax_id) == ("Shop Ltd", "DE2")
    assert list(policy.shipping_services) == [BOAT]


def test_what_the_console_prints_it_also_takes(ff: Shell, client: Client, tmp_path: Path):
    agree(client, EVERYTHING, NOW - timedelta(days=1))
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(ff("policy", "show", "--json").json["in_force"]["policy"]))
    assert ff("policy", "set", "--file", str(path)).out == "Nothing changes: these terms are in force.\n"


def test_a_change_for_later_starts_from_the_terms_of_then(ff: Shell, client: Client):
    agree(client, admin_pb2.Policy(cover_days=8), NOW + timedelta(days=10))
    assert "Terms agreed earlier follow on" in ff("policy", "set", "low_stock_units=9").out
    assert ff("policy", "set", "low_stock_units=9", "--from", f"{NOW + timedelta(days=10)}").code == 0
    now, later = read(client).in_force.policy, read(client, NOW + timedelta(days=10)).in_force.policy
    assert (now.cover_days, now.low_stock_units) == (3, 9)
    assert (later.cover_days, later.low_stock_units) == (8, 9)


def test_overdue_units_are_left_to_people_where_the_policy_says_never(ff: Shell, client: Client):
    assert re.search(r"reroute_after.dispatch_hours +0 +yes\n", ff("policy", "show").out)
    result = ff("policy", "set", "reroute_after.dispatch_hours=never", "reroute_after.acknowledge_hours=6")
    assert re.search(r"reroute_after.dispatch_hours +0 +never\n", result.out)
    assert read(client).in_force.policy.reroute_after == admin_pb2.RerouteAfter(acknowledge_hours=6)
    ff("policy", "set", "reroute_after.dispatch_hours=")
    assert read(client).in_force.policy.reroute_after == admin_pb2.RerouteAfter(acknowledge_hours=6, dispatch_hours=0)
    ff("policy", "set", "reroute_after=")
    assert read(client).in_force.policy == read(client).defaults


def test_a_term_without_a_value_is_the_default_again(ff: Shell, client: Client):
    agree(client, EVERYTHING, NOW - timedelta(days=1))
    result = ff(
        "policy", "set", "cover_days=", "shipping_services=", "seller=", "languages.DE=", "rate_weights.response="
    )
    assert re.search(r"cover_days +18 +3\n", result.out)
    policy = read(client).in_force.policy
    assert (len(policy.shipping_services), policy.rate_weights.response) == (6, 5)
    assert not policy.HasField("seller")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say what changes, as NAME=VALUE or with --file"),
        (("cover_days",), "'cover_days' is not NAME=VALUE such as return_window_days=30"),
        (("retrun_window_days=3",), "the policy has no term retrun_window_days; did you mean return_window_days?"),
        (("colour=3",), "the policy has no term colour; `policy show` lists them"),
        (("language.x=1",), "the policy has no term language.x; did you mean language?"),
        (("cover_days=soon",), "cover_days takes a whole number up to 2147483647, not 'soon'"),
        (("cover_days=99999999999",), "cover_days takes a whole number up to 2147483647, not '99999999999'"),
        (("rate_targets=3",), "rate_targets has parts, such as rate_targets.on_time_dispatch"),
        (("languages=fr",), "languages is set one by one, such as languages.DE=de"),
        (
            ("working.terms.answer_within=48",),
            "working.terms.answer_within takes working time such as 2wd or 16wh, not '48'",
        ),
        (
            ("working.terms.answer_within=2 days",),
            "'2 days' is not HOURS such as 48, nor working time such as 2wd (days) or 16wh (hours)",
        ),
        (
            ("working.calendar.working_days=mon-xyz",),
            "'xyz' is no day of the week such as mon, tue, wed, thu, fri, sat, sun",
        ),
        (("claim_terms=x",), "claim_terms is a table: give it as a whole with --file; `policy show --json` prints it"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_reported_in_one_sentence(ff: Shell, arguments: tuple[str, ...], message: str):
    result = ff("policy", "set", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"Error: {message}; see fulfilment policy set --help\n"


@pytest.mark.parametrize("text", ["{", "[1]", '{"colour": 1}', '{"cover_days": "many"}', '{"rate_targets": 5}'])
def test_a_file_that_is_no_policy_is_refused(ff: Shell, tmp_path: Path, text: str):
    path = tmp_path / "terms.json"
    path.write_text(text)
    result = ff("policy", "set", "--file", str(path))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert result.err.startswith("Error: --file is no Policy in protobuf JSON: ")


def test_what_the_service_refuses_changes_nothing(ff: Shell, client: Client):
    result = ff("policy", "set", "return_window_days=30", "cover_days=200")
    assert (result.code, result.err) == (1, "Error: cover_days: 200 is not between 1 and 90 [MALFORMED]\n")
    assert read(client).in_force.policy.return_window_days == 14


# --- when the retailer works ----------------------------------------------------------------------


def test_the_retailers_calendar_is_said_in_parts_and_its_clocks_go_by_it(ff: Shell, client: Client):
    said = ff("policy", "calendar", "--time-zone", "Europe/Berlin", "--hours", "09:00-18:00", "--cut-off", "16:00",
              "--holidays-of", "DE-BE:2026", "--peak", "2026-11-20", "2026-12-01", "8")  # fmt: skip
    assert re.search(r"working.calendar.working_days +none +monday, tuesday, wednesday, thursday, friday\n", said.out)
    assert re.search(r"working.calendar.holidays +none +2026-01-01, 2026-03-08, 2026-04-03, 2026-04-06,", said.out)
    assert re.search(r"peaks.2026-11-20 00:00Z +none +until 2026-12-01 00:00Z; extra hours 8\n", said.out)
    said = ff("policy", "set", "working.terms.first_answer_within=1wd", "working.calendar.working_days=mon-thu,sat")
    assert re.search(r"working.terms.first_answer_within +none +1 working day\n", said.out)
    ff("policy", "calendar", "--usual-day", "2026-03-08", "--extra-day", "2026-04-06", "--cut-off", "")
    found = read(client).in_force.policy
    assert (found.working.calendar.cut_off, list(found.working.calendar.extra_days)) == ("", ["2026-04-06"])
    assert list(found.working.calendar.working_days) == [1, 2, 3, 4, 6]
    assert {*found.working.calendar.holidays}.isdisjoint({"2026-03-08", "2026-04-06"})
    assert "Nothing changes" in ff("policy", "calendar", "--hours", "09:00-18:00").out
    ff("policy", "set", "working.terms.first_answer_within=", "peaks=")
    found = read(client).in_force.policy
    assert (len(found.working.terms), len(found.peaks)) == (0, 0)
    ff("policy", "set", "working=")
    assert not read(client).in_force.policy.HasField("working")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--working-days", "weekdays"), "'weekdays' is no day of the week such as mon,"),
        (("--hours", "9"), "'9' is not FROM-UNTIL such as 09:00-18:00"),
        (("--holidays-of", "Germany"), "'Germany' is not COUNTRY:YEARS such as CN:2026-2027 or DE-BE:2026"),
        (("--holidays-of", "XX:2026"), "no public holidays are known of XX: Country XX not available"),
        (("--holidays-of", "DE:2027-2026"), "2027-2026 are not 1 to 20 years, the first first"),
    ],
    ids=str,
)
def test_a_calendar_that_is_not_understood_is_said_in_one_sentence(ff: Shell, arguments: tuple[str, ...], message: str):
    said = ff("policy", "calendar", *arguments)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert message in said.err


def test_a_calendar_without_a_time_zone_is_refused(ff: Shell):
    said = ff("policy", "calendar", "--hours", "09:00-18:00")
    assert said.err == "Error: working.calendar.time_zone: is required [MALFORMED]\n"
