"""Links of tracking pages: what they tell, what opens them, and how they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tracking_page.links import PATH, LinkedOrder, TrackingLinks
from ledger.engine.keyring import KeyRing
from ledger.engine.sealing import Sealer
from ledger.nouns.orders import TrackingLink, linked, renew_link, withdraw_link

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ORDER = "shop/1001"


def links(keys: KeyRing | None = None) -> TrackingLinks:
    return TrackingLinks(Sealer(keys or KEYS))


KEYS = KeyRing.new()


def token_of(path: str) -> str:
    assert path.startswith(PATH)
    return path.removeprefix(PATH)


def after(link: TrackingLink, *decisions) -> TrackingLink:
    for decide, by, at in decisions:
        for fact in decide(link, ORDER, by, at):
            link = linked(link, fact)
    return link


def test_an_order_has_one_link_which_ends_when_it_is_withdrawn_and_with_a_newer_one():
    first = TrackingLink()
    assert first.opens(1)
    withdrawn = after(first, (withdraw_link, "mia", NOON))
    assert not withdrawn.opens(1)
    assert (withdrawn.changed_by, withdrawn.changed_at) == ("mia", NOON)
    renewed = after(withdrawn, (renew_link, "tom", NOON + timedelta(hours=1)))
    assert (renewed.opens(1), renewed.opens(2), renewed.changed_by) == (False, True, "tom")
    assert [number for number in range(9) if after(renewed, (renew_link, "mia", NOON)).opens(number)] == [3]


def test_the_same_again_records_nothing():
    withdrawn = after(TrackingLink(), (withdraw_link, "mia", NOON))
    assert withdraw_link(withdrawn, ORDER, "tom", NOON + timedelta(hours=1)) == []
    renewed = after(withdrawn, (renew_link, "mia", NOON))
    assert renew_link(renewed, ORDER, "mia", NOON) == []
    assert len(renew_link(renewed, ORDER, "mia", NOON + timedelta(seconds=1))) == 1


def test_a_link_is_the_same_whenever_it_is_made_and_leads_back_to_its_order():
    path = links().path_of("default", ORDER, 1)
    assert path == links(KEYS).path_of("default", ORDER, 1)
    assert links().opened(token_of(path)) == LinkedOrder("default", ORDER, 1)
    others = [("default", ORDER, 2), ("default", "shop/1002", 1), ("other", ORDER, 1)]
    assert len({path, *(links().path_of(*each) for each in others)}) == 4


def test_a_link_opens_after_a_rotation_of_the_keys_and_nowhere_else():
    path = links().path_of("default", ORDER, 1)
    rotated = KEYS.with_another().with_newest_only()
    assert links(rotated).path_of("default", ORDER, 1) == path
    assert links(KeyRing.new()).opened(token_of(path)) is None


def test_a_link_tells_neither_the_order_nor_the_tenant_nor_how_long_their_names_are():
    path = links().path_of("default", ORDER, 1)
    assert "1001" not in path
    assert "shop" not in path
    assert "default" not in path
    assert len(path) == len(links().path_of("default", "shop/7", 1))


@given(st.data())
def test_what_was_altered_or_made_elsewhere_opens_nothing(data: st.DataObject):
    token = token_of(links().path_of("default", ORDER, 1))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCZabcz0189-_=/ é%"))
    altered = token[:place] + other + token[place + 1 :]
    assert altered == token or links().opened(altered) is None
    assert links().opened(data.draw(st.text(max_size=200))) is None


@pytest.mark.parametrize("token", ["", "A" * 22, "A" * 10_000, "é" * 40, "=" * 40])
def test_nonsense_opens_nothing(token: str):
    assert links().opened(token) is None


def test_a_form_is_good_for_the_page_that_it_was_shown_on_and_is_no_link():
    made = links()
    form = made.form_of("page one", "a nonce")
    assert made.words_of("page one", form) == "a nonce"
    assert made.words_of("page two", form) == ""
    assert made.opened(form) is None
    assert made.words_of("page one", token_of(made.path_of("default", ORDER, 1))) == ""
