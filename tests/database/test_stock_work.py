"""The work that stock levels raise: of those that say the same only the strongest."""

from __future__ import annotations

from ledger.facts import Change
from ledger.nouns import stock
from ledger.nouns.stock import Alert, AlertEnded
from projections import work
from projections.machine.reads import PageOf
from projections.work import WorkFilter
from tests.support.projecting import asking, catch_up
from tests.support.scenario import NOON
from tests.support.stalls import EmptyTenant


async def test_of_the_levels_of_one_stock_only_the_strongest_is_work(tenant: EmptyTenant):
    tea, mug = stock.stream("acme", "tea"), stock.stream("acme", "mug")
    log: list[Change] = [
        (tea, stock.StockLow("acme", "tea", 4, 5, NOON)),
        (mug, stock.StockLow("acme", "mug", 4, 5, NOON)),
        (tea, stock.StockRunningOut("acme", "tea", 2, 20, 28, 3, NOON)),
        (tea, stock.SoldOut("acme", "tea", NOON)),
        (tea, stock.BackInStock("acme", "tea", 2, NOON)),
        (tea, AlertEnded("acme", "tea", Alert.RUNNING_OUT, 4, NOON)),
    ]
    seen = []
    for change in log:
        catch_up(tenant, [change], [work.WORK])
        async with asking(tenant) as where:
            found = (await work.list_work(where, PageOf(100))).rows
            count = (await work.count_work(where, WorkFilter())).rows
            assert sum(each.pieces for each in count) == len(found)
            first = (await work.find_work(where, "stock-low-1")).rows
        seen.append([each.because.partition(":")[0] for each in found if each.sku == "tea"])
        assert bool(first) is (seen[-1] == ["low"])
    assert seen == [["low"], ["low"], ["running_out"], ["sold_out"], ["running_out"], ["low"]]
    assert {each.sku for each in found} == {"mug", "tea"}
