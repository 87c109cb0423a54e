"""Supplier orders: what one supplier is to send for one order, from draft to shipped (DOMAIN 1).

Their facts are in the order's stream, because the units of a line must be counted in one place.
"""

from ledger.nouns.orders.supplier_orders.decisions import *
from ledger.nouns.orders.supplier_orders.evolving import *
from ledger.nouns.orders.supplier_orders.facts import *
from ledger.nouns.orders.supplier_orders.refusals import *
from ledger.nouns.orders.supplier_orders.state import *
