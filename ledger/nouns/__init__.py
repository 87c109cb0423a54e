"""What the ledger keeps streams of: facts, state, evolve, refusals, and the decisions of each alone."""

from ledger.nouns import (
    cases,
    connections,
    erasures,
    inquiries,
    invoice_series,
    messages,
    orders,
    parcels,
    policies,
    receptions,
    recoveries,
    skus,
    stock,
    stock_ups,
    supplier_invoices,
    suppliers,
    tasks,
    templates,
)

NOUNS = (
    orders.NOUN,
    stock.NOUN,
    skus.NOUN,
    suppliers.NOUN,
    parcels.NOUN,
    recoveries.NOUN,
    inquiries.NOUN,
    supplier_invoices.NOUN,
    invoice_series.NOUN,
    stock_ups.NOUN,
    messages.NOUN,
    templates.NOUN,
    cases.NOUN,
    tasks.NOUN,
    policies.NOUN,
    erasures.NOUN,
    connections.NOUN,
    receptions.NOUN,
)
"""Every noun; the engine is given them to keep their streams."""
