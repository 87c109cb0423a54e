"""Parcels: what a carrier has under one tracking number, and what its scans say (DOMAIN 4).

A carrier's webhook knows only the number, so a parcel is a stream of its own that remembers its
order. Numbers are reused: another shipment under a number starts a new epoch in the stream. A late
scan of an earlier use counts for that use; one from before any use is kept, and counts for nothing.
"""

from ledger.nouns.parcels.delivery import *
from ledger.nouns.parcels.evolving import *
from ledger.nouns.parcels.facts import *
from ledger.nouns.parcels.refusals import *
from ledger.nouns.parcels.registration import *
from ledger.nouns.parcels.scans import *
from ledger.nouns.parcels.state import *
from ledger.nouns.parcels.voiding import *
