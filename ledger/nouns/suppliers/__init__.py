"""Suppliers: who they are, whether they may be used, and what was agreed with them (DOMAIN 2)."""

from ledger.nouns.suppliers.agreeing import *
from ledger.nouns.suppliers.agreement import *
from ledger.nouns.suppliers.decisions import *
from ledger.nouns.suppliers.evolving import *
from ledger.nouns.suppliers.facts import *
from ledger.nouns.suppliers.refusals import *
from ledger.nouns.suppliers.registration import *
from ledger.nouns.suppliers.state import *
