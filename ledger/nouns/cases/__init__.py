"""Return cases: what went wrong for a customer, who is liable for it, and how it is made good (DOMAIN 5).

opened -> evidence requested -> under review -> liability ruled -> approved | denied -> in remedy -> resolved;
cancelled before goods are received; reopened on new evidence. The retailer answers first, whoever is liable
in the end, and nothing here knows of the recovery of costs, so that no remedy can wait for it.
"""

from ledger.nouns.cases.clocks import *
from ledger.nouns.cases.closing import *
from ledger.nouns.cases.evolving import *
from ledger.nouns.cases.facts import *
from ledger.nouns.cases.goods import *
from ledger.nouns.cases.refunds import *
from ledger.nouns.cases.refusals import *
from ledger.nouns.cases.reships import *
from ledger.nouns.cases.review import *
from ledger.nouns.cases.state import *
