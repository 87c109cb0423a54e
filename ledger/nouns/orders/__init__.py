"""Orders: what a customer bought in a shop, and in which bucket each unit of it is (DOMAIN 1).

For every line, at every position of the log:
``ordered = open + backordered + assigned + shipped + delivered + returned + cancelled + lost``.
Header statuses are derived from the buckets and never stored.
"""

from ledger.nouns.orders.amending import *
from ledger.nouns.orders.balance import *
from ledger.nouns.orders.clocks import *
from ledger.nouns.orders.collecting import *
from ledger.nouns.orders.debts import *
from ledger.nouns.orders.delivery import *
from ledger.nouns.orders.details import *
from ledger.nouns.orders.evolving import *
from ledger.nouns.orders.expecting import *
from ledger.nouns.orders.facts import *
from ledger.nouns.orders.holds import *
from ledger.nouns.orders.invoices import *
from ledger.nouns.orders.invoicing import *
from ledger.nouns.orders.keeping import *
from ledger.nouns.orders.lines import *
from ledger.nouns.orders.loading import *
from ledger.nouns.orders.money import *
from ledger.nouns.orders.payments import *
from ledger.nouns.orders.refusals import *
from ledger.nouns.orders.remarks import *
from ledger.nouns.orders.state import *
from ledger.nouns.orders.tracking_links import *
