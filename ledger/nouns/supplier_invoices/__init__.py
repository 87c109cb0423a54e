"""Supplier invoices: what a supplier asks for its goods, what of it is right, and what became of it (DOMAIN 2).

An invoice is a stream of its own. Which units it may be paid for is found in ``decisions.invoice_matching``, and
counted over all invoices of the supplier in the orders' streams; here stands what came of that.
"""

from ledger.nouns.supplier_invoices.decisions import *
from ledger.nouns.supplier_invoices.evolving import *
from ledger.nouns.supplier_invoices.facts import *
from ledger.nouns.supplier_invoices.refusals import *
from ledger.nouns.supplier_invoices.state import *
