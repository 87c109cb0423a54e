"""Trackers over real sockets: what they tell becomes scans once, and who tells nothing is asked, number by number."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from adapters.edges import worker
from adapters.edges.delivery import AtTheDoor
from adapters.edges.systems import SYSTEMS
from fulfilment.v1 import batch_pb2, edges_pb2, parcels_pb2
from ledger.nouns import effects
from tests.support.aggregator import aggregator
from tests.support.edge import HTTP
from tests.support.hosting import hosted
from tests.support.service import context, stamp
from tests.support.terminal import Console
from tests.support.tracker_formats import SECRETS, WRITTEN, Followed, PlayedScan, as_told, signed_as
from tests.support.tracking_payloads import VENDORS
from tests.support.waiting import wait_for

needs_data = pytest.mark.skipif(not VENDORS.exists(), reason=f"{VENDORS} is not there")

DONE, EARLY = edges_pb2.RECEPTION_STATE_DONE, edges_pb2.RECEPTION_STATE_EARLY
OTHER, DELIVERED = parcels_pb2.PARCEL_STATUS_OTHER, parcels_pb2.PARCEL_STATUS_DELIVERED
IN_TRANSIT = parcels_pb2.PARCEL_STATUS_IN_TRANSIT
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def service(embedded):
    """One that also calls trackers on this machine."""
    with hosted(embedded, "--web-private") as service:
        yield service


@pytest.fixture(scope="module")
def played():
    with aggregator() as played:
        yield played


def connect(client, name, system, **settings):
    client.edges.AddConnection(
        edges_pb2.AddConnectionRequest(
            context=context(), name=name, system=system, settings=settings, secrets=SECRETS[system]
        )
    )


@pytest.fixture(scope="module")
def trackers(edge, client):
    """Every tracker is connected under its own name, and not asked: the address that each is told to send to."""
    for system in SECRETS:
        keys = {"17track": "api_key", "dhl": "api_key"}
        secrets = {name: value for name, value in SECRETS[system].items() if name != "api_key" or system in keys}
        client.edges.AddConnection(
            edges_pb2.AddConnectionRequest(
                context=context(),
                name=system,
                system=system,
                settings={"carriers": "nobody"} if "carriers" in SYSTEMS[system].settings else {},
                secrets=secrets,
            )
        )
    return {system: f"{edge}/in/default/{system}" for system in SECRETS}


def register(client, carrier, *numbers, at=LONG_AGO):
    commands = [
        batch_pb2.BatchCommand(
            register_parcel=parcels_pb2.RegisterParcelRequest(
                context=context(), carrier=carrier, tracking_number=number, at=stamp(at)
            )
        )
        for number in numbers
    ]
    done = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands))
    return max(each.receipt.position for each in done.outcomes)


def parcel(client, carrier, number):
    return client.parcels.GetParcel(parcels_pb2.GetParcelRequest(carrier=carrier, tracking_number=number)).parcel


def receptions(client, connection):
    return client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(connection=connection)).receptions


def settled(client, connection, count):
    """What came of the deliveries of a connection, the oldest first, once none waits."""

    def found():
        rows = receptions(client, connection)
        waits = any(each.state == edges_pb2.RECEPTION_STATE_WAITING for each in rows)
        return rows[::-1] if len(rows) >= count and not waits else None

    return wait_for(found)


def connection(client, name):
    found = client.edges.ListConnections(edges_pb2.ListConnectionsRequest()).connections
    return next(each for each in found if each.name == name)


def send(to, sent):
    url = f"{to}?{sent.query}" if sent.query else to
    return HTTP.post(url, content=sent.body, headers=dict(sent.headers))


def of_file(path, *steps):
    found = json.loads((VENDORS / path).read_text())
    for step in steps:
        found = found[step]
    return found


def shippo():
    """The collection has the words of Shippo and no payload of it."""
    scans = [PlayedScan(datetime(2026, 3, 1, 9, tzinfo=UTC), "in_transit", "Departed", "Memphis", "US")]
    return WRITTEN["shippo"](Followed("SHIPPO1", "usps", "", scans))


REAL = {
    "aftership": ("postnl-3s", lambda: of_file("aftership/v4/get_tracking.postnl-3s.json", "data", "tracking")),
    "17track": (
        "yanwen",
        lambda: of_file("seventeentrack/v2.4/gettrackinfo_yanwen_190012.json", "data", "accepted", 0),
    ),
    "kuaidi100": ("sf-express", lambda: of_file("carriers-cn/kuaidi100/query.shunfeng.json")),
    "easypost": ("fedex", lambda: of_file("easypost/event-body.json", "result")),
    "shippo": ("usps", shippo),
    "dhl": ("dhl", lambda: of_file("carriers/dhl_universal/TrackingResponseJSON.json", "shipments", 0)),
}
NUMBERS = ("tracking_number", "number", "nu", "tracking_code", "id")
"""What systems call it."""
BECAME = {"aftership": 6, "17track": 3, "kuaidi100": 9, "easypost": 7, "shippo": 1, "dhl": 1}
"""How many scans."""


@needs_data
@pytest.mark.parametrize("system", list(REAL))
def test_a_real_delivery_that_its_system_signed_becomes_scans_once(trackers, client, system):
    carrier, written = REAL[system][0], REAL[system][1]()
    number = str(next(written[name] for name in NUMBERS if name in written))
    register(client, carrier, number)
    sent = signed_as(system, as_told(system, written))
    assert send(trackers[system], sent._replace(body=sent.body + b" ", query="token=x")).status_code in (400, 401)
    answers = {send(trackers[system], sent).content for _ in range(2)}
    assert answers == {SYSTEMS[system].answer(AtTheDoor.KEPT).body}
    (row,) = settled(client, system, 1)
    assert (row.state, row.reason) == (DONE, "")
    assert len(parcel(client, carrier, number).checkpoints) == BECAME[system]
    other = json.dumps(json.loads(as_told(system, written)), indent=1).replace("e1", "e2").encode()
    send(trackers[system], signed_as(system, other))
    *_, again = settled(client, system, 2)
    assert (again.state, again.reason) == (edges_pb2.RECEPTION_STATE_IGNORED, "nothing new")
    assert len(parcel(client, carrier, number).checkpoints) == BECAME[system]


def test_a_file_of_a_carrier_in_our_own_format_becomes_scans(trackers, client):
    register(client, "yanwen", "UG123456789YP")
    rows = "carrier,tracking_number,at,status\nyanwen,UG123456789YP,2026-03-01T10:00:00+08:00,in_transit\n"
    assert send(trackers["carrier"], signed_as("carrier", rows.encode())).status_code == 200
    (row,) = settled(client, "carrier", 1)
    assert row.state == DONE
    assert [each.at.ToJsonString() for each in parcel(client, "yanwen", "UG123456789YP").checkpoints] == [
        "2026-03-01T02:00:00Z"
    ]


def test_news_of_a_number_that_nobody_told_yet_waits_for_it(trackers, client, monkeypatch):
    monkeypatch.setattr(worker, "_PAUSES", (timedelta(milliseconds=100),))
    scans = [PlayedScan(datetime(2026, 3, 1, 9, tzinfo=UTC), "in_transit")]
    sent = signed_as(
        "easypost", as_told("easypost", WRITTEN["easypost"](Followed("EARLY1", "USPS", "", scans)), "early")
    )
    assert send(trackers["easypost"], sent).status_code == 200

    def state(wanted):
        rows = [each for each in receptions(client, "easypost") if each.object_id == "usps/EARLY1"]
        return rows[0] if rows and rows[0].state == wanted else None

    assert "nobody told of parcel usps EARLY1" in wait_for(lambda: state(EARLY)).reason
    register(client, "usps", "EARLY1")
    wait_for(lambda: state(DONE))
    assert len(parcel(client, "usps", "EARLY1").checkpoints) == 1


def test_a_word_that_nobody_knows_is_kept_as_it_came_and_counted(edge, trackers, client, service):
    register(client, "usps", "WORD1", "WORD2")
    for number in ("WORD1", "WORD2"):
        scans = [PlayedScan(datetime(2026, 3, 1, 9, tzinfo=UTC), "beamed_up")]
        body = as_told("easypost", WRITTEN["easypost"](Followed(number, "USPS", "", scans)), number)
        send(trackers["easypost"], signed_as("easypost", body))
        wait_for(lambda: parcel(client, "usps", number).checkpoints)  # noqa: B023
        (scan,) = parcel(client, "usps", number).checkpoints
        assert (scan.status, scan.code) == (OTHER, "beamed_up")
    wait_for(lambda: connection(client, "easypost").unknown_words)
    (word,) = connection(client, "easypost").unknown_words
    assert (word.word, word.deliveries) == ("beamed_up", 2)
    assert "beamed_up (2)" in Console(service.address)("connection", "show", "easypost").out
    figures = dict(line.rsplit(" ", 1) for line in HTTP.get(f"{edge}/metrics").text.splitlines())
    assert int(figures["fulfilment_edge_unknown_words"]) >= 2


ASKED = {
    "17track": "cainiao",
    "kuaidi100": "zto-express",
    "easypost": "ups",
    "shippo": "canada-post",
    "dhl": "dhl-germany",
}
AS_THEY_SAY = {"17track": "0", "dhl": "parcel-de"}


def test_numbers_that_nothing_was_heard_of_are_asked_for_once_a_round(edge, client, played):
    now = datetime.now(UTC)
    numbers = {system: [f"ASK{system.upper()}{index:03}" for index in range(1)] for system in ASKED}
    numbers["17track"] = [f"ASK17{index:03}" for index in range(45)]  # one more question than it takes at once
    position = 0
    for system, carrier in ASKED.items():
        register(client, carrier, *numbers[system], at=now - timedelta(days=2))
        position = register(client, carrier, f"FRESH{system.upper()}", at=now - timedelta(hours=1))
        for number in numbers[system]:
            played.follow(system, number, AS_THEY_SAY.get(system, carrier), f"carrier:{carrier}")
            played.scan(system, number, PlayedScan(now - timedelta(hours=3), "delivered"))
    client.read_up_to(position)
    played.answers = [429]
    for system, carrier in ASKED.items():
        connect(client, f"ask-{system}", system, carriers=carrier, **played.settings(system))
    for system, carrier in ASKED.items():
        wait_for(lambda: connection(client, f"ask-{system}").HasField("asked_at"))  # noqa: B023
        last = numbers[system][-1]
        wait_for(lambda: parcel(client, carrier, last).status == DELIVERED)  # noqa: B023
        asked = [number for of, number in played.asked if of == system]
        assert sorted(asked) == numbers[system]
        assert connection(client, f"ask-{system}").found_by_asking == len(numbers[system])
        assert not connection(client, f"ask-{system}").problem


FOLLOWED = {
    "aftership": "royal-mail",
    "17track": "landmark-global",
    "kuaidi100": "yto",
    "easypost": "ontrac",
    "shippo": "australia-post",
}


def test_every_new_number_is_given_once_to_the_tracker_of_its_carrier_and_its_scans_come_back(
    edge, client, played, monkeypatch
):
    monkeypatch.setattr(effects, "_PAUSES", (timedelta(milliseconds=100),))
    now = datetime.now(UTC)
    for system, carrier in FOLLOWED.items():
        connect(client, f"follow-{system}", system, carriers=carrier, **played.settings(system))
    played.answers = [503, 502]  # whoever comes first comes again
    for _ in range(2):
        for system, carrier in FOLLOWED.items():
            register(client, carrier, f"NEW{system}".upper(), at=now - timedelta(hours=1))
    for system, carrier in FOLLOWED.items():
        number = f"NEW{system}".upper()
        wait_for(lambda: (system, number) in played.followed)  # noqa: B023
        played.scan(system, number, PlayedScan(now, "in_transit", "Departed"))
        assert played.tell(system, number, f"{edge}/in/default/follow-{system}").status_code == 200
        wait_for(lambda: parcel(client, carrier, number).checkpoints)  # noqa: B023
        assert [each.status for each in parcel(client, carrier, number).checkpoints] == [IN_TRANSIT]
    assert sorted(played.registered) == sorted((system, f"NEW{system}".upper()) for system in FOLLOWED)
    told = client.edges.ListEffects(edges_pb2.ListEffectsRequest(states=[edges_pb2.EFFECT_STATE_TOLD])).effects
    assert {each.connection for each in told} == {f"follow-{system}" for system in FOLLOWED}
    changed = edges_pb2.ListEffectsRequest(states=[edges_pb2.EFFECT_STATE_TOLD])
    changed.page.changed_after = 0
    answer = client.edges.ListEffects(changed)
    assert {each.effect_id for each in answer.effects} == {each.effect_id for each in told}
    changed.page.changed_after = answer.changes.until
    assert not client.edges.ListEffects(changed).effects
