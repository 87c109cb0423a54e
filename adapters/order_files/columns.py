"""What a column of an order file can be, and how such columns are usually called in English, Chinese and German."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple
from unicodedata import normalize


class OrderColumn(NamedTuple):
    """Something that a file says of an order or of one of its lines."""

    name: str
    what: str
    headings: Sequence[str]
    of_line: bool = False
    """Whether each row of an order has its own; else what the first row says counts for all."""


_TABLE = """\
order: the order's own number
    order number, order no, order id, order, order name, name, reference, amazon order id, 订单号, 订单编号,
    订单, bestellnummer, bestellnr, auftragsnummer
placed_at: when the customer ordered
    order date, created at, purchase date, date, paid at, placed at, 下单时间, 订单日期, 创建时间, 订单创建时间,
    bestelldatum, auftragsdatum, datum
currency: the currency of all amounts
    currency, 币种, 货币, währung
sku*: the article number
    sku, lineitem sku, item sku, article number, 商品编码, 货号, 商家编码, artikelnummer, artikelnr
quantity*: how many units
    quantity, qty, lineitem quantity, quantity purchased, units, 数量, 购买数量, menge, anzahl
price*: what one unit costs
    unit price, price, lineitem price, 单价, 价格, einzelpreis, preis, stückpreis
line_total*: what all units of the row cost, after discounts
    line total, item price, 小计, 金额, gesamtpreis, positionssumme
title*: what the article is called
    title, product name, lineitem name, item name, product, 商品名称, 品名, 商品标题, artikelbezeichnung,
    artikel, bezeichnung
line_id*: the shop's own id of the line
    line id, order item id, lineitem id, 子订单编号, positionsnummer
supplier*: the supplier's id
    supplier, supplier id, 供应商, lieferant
hs_code*: the Harmonized System code
    hs code, 海关编码, zolltarifnummer
origin*: the country of origin
    country of origin, origin, 原产国, ursprungsland
weight_grams*: the net weight of one unit in grams
    weight grams, weight g, 重量克, gewicht g
customer: the receiver's name
    shipping name, recipient name, ship to name, customer name, customer, buyer name, 收货人, 收件人, 收货人姓名,
    empfänger, kunde, kundenname, name
email: the customer's e-mail address
    email, e mail, buyer email, customer email, 邮箱, 电子邮箱
phone: the customer's phone number
    phone, shipping phone, ship phone number, telephone, mobile, 电话, 手机, 联系电话, 手机号, 收货人手机,
    telefon, telefonnummer, handy
address: street and house
    address, shipping address1, shipping street, ship address 1, address 1, street, 地址, 收货地址, 详细地址,
    straße, strasse, adresse, anschrift
address_2: the second line of the address
    address 2, shipping address2, ship address 2, 地址2, adresszusatz
address_3: the third line of the address
    address 3, ship address 3, 地址3
city: the town
    city, shipping city, ship city, town, 城市, 市, ort, stadt
region: the state or province
    state, region, province, shipping province, ship state, 省, 省份, 州, bundesland
postal_code: the postal code
    postal code, zip, zip code, postcode, shipping zip, ship postal code, 邮编, 邮政编码, plz, postleitzahl
country: the country, as a code or by its name
    country, country code, shipping country, ship country, 国家, land, lieferland
payment: whether it is paid, as a word
    payment status, financial status, paid, payment, 付款状态, 支付状态, zahlungsstatus, bezahlt
shipping: what carriage costs
    shipping, shipping cost, shipping price, 运费, versand, versandkosten
discount: what is taken off the whole order
    discount, discount amount, 优惠, 折扣, rabatt
tax: tax that prices do not contain
    tax, 税费, 税, zzgl steuer
note: the customer's or shop's note
    note, notes, buyer note, customer note, 买家留言, 备注, bemerkung, notiz, kommentar
tags: words to find the order by, with commas
    tags, 标签
language: the language that the customer reads
    language, locale, 语言, sprache
priority: standard or express
    priority, 优先级, priorität
promised_day: the day that the customer was promised
    promised day, promised date, delivery date, 承诺送达日期, lieferdatum
incoterm: who pays duty: DDP or DAP
    incoterm, 贸易条款
cash_on_delivery: whether the carrier collects the money
    cash on delivery, cod, 货到付款, nachnahme
"""
"""Each with what it is, and below it how it is usually called, the most usual first; * is of each row."""


def _columns() -> Iterator[OrderColumn]:
    for about, headings in re.findall(r"^(\S.*)((?:\n    .*)*)", _TABLE, re.MULTILINE):
        name, _, what = about.partition(": ")
        usual = [each for each in re.split(r",\s*", headings.strip()) if each]
        yield OrderColumn(name.rstrip("*"), what, usual, name.endswith("*"))


COLUMNS: Mapping[str, OrderColumn] = {each.name: each for each in _columns()}
"""By name."""

_BETWEEN = re.compile(r"[\s_.:*()（）#/-]+")


def plain_heading(text: str) -> str:
    """How headings are compared: without case, and without what stands between words."""
    return _BETWEEN.sub("", normalize("NFKC", text).casefold())


def guessed(columns: Iterable[str]) -> dict[str, str]:
    """Which columns are called as usual: the heading for each name, the most usual one where several fit."""
    free = {plain_heading(each): each for each in reversed(list(columns))}
    found = {}
    for each in COLUMNS.values():
        usual = (plain_heading(text) for text in (each.name, *each.headings))
        if (first := next((heading for heading in usual if heading in free), None)) is not None:
            found[each.name] = free.pop(first)
    return found


_LEAST_ALIKE = 0.85
_NAMES = {plain_heading(each): column for column in COLUMNS for each in (column, *COLUMNS[column].headings)}


def nearly(heading: str) -> str | None:
    """What a column was probably meant to be that is called nearly as usual, such as quantity for quantiy."""
    near = get_close_matches(plain_heading(heading), _NAMES, 1, _LEAST_ALIKE)
    return _NAMES[near[0]] if near else None


OPTIONS: Mapping[str, str] = {
    "channel": "the channel that its orders are placed under; the connection's name if not said",
    "dates": "how days are written: iso, dmy, mdy or ymd; iso if not said",
    "decimal": "what stands before cents: point or comma; found by each amount if not said",
    "zone": "the time zone of times that say none, such as Europe/Berlin; UTC if not said",
    "encoding": "the encoding of a CSV file, such as gb18030; found if not said",
    "delimiter": "what stands between the cells of a CSV file, such as ; or tab; found if not said",
    "sheet": "the sheet of an Excel file; the first if not said",
}
"""What else a connection of files can say, beside where its columns are."""
