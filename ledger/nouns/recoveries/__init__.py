"""Recoveries: costs that somebody else is to bear, asked of suppliers and claimed from carriers (DOMAIN 5).

A recovery is a stream of its own, so that a customer's remedy can never wait for it. It has one currency;
amounts in another are a recovery of their own.

A supplier's: proposed -> accepted | disputed -> settled | written off. A claim on a carrier: waiting -> eligible
-> documented -> filed -> acknowledged -> approved | denied -> paid | appealed | written off; time-barred if it
was not filed by its deadline, withdrawn if the parcel turns up before. Its decisions stand in claims. A parcel
that arrives after it was given up raises one more: what the customer was refunded is asked back like a
supplier's share.
"""

from ledger.nouns.recoveries.decisions import *
from ledger.nouns.recoveries.evolving import *
from ledger.nouns.recoveries.facts import *
from ledger.nouns.recoveries.refusals import *
from ledger.nouns.recoveries.state import *
