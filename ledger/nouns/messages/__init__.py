"""Messages: what is told to customers, suppliers and staff, each once (DOMAIN 8).

A message's id derives from what makes it due, so that the same thing is told at most once however
often it is noticed. The text is made from a template and from data that is unsealed at that moment;
recorded are only the recipient, what it is about, and the outcome.
"""

from ledger.nouns.messages.decisions import *
from ledger.nouns.messages.evolving import *
from ledger.nouns.messages.facts import *
from ledger.nouns.messages.refusals import *
from ledger.nouns.messages.state import *
