"""What a supplier has of a SKU, and who was promised how much of it (DOMAIN 3).

One stream per supplier and SKU. The main rule: units held and committed never exceed what the
supplier's feed says there is. A SKU without any feed is untracked: nothing is promised of it.
Orders that wait for units are in the stream too, so that nobody who asks later is promised what they wait for.
"""

from ledger.nouns.stock.evolving import *
from ledger.nouns.stock.facts import *
from ledger.nouns.stock.feeds import *
from ledger.nouns.stock.refusals import *
from ledger.nouns.stock.reservations import *
from ledger.nouns.stock.state import *
