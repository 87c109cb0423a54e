"""The roles: which RPCs a client of each may call.

``ROLES`` is the one table; a test fails while an RPC of the contract is in no row of it. What a role may call alone it
may also call within a batch. Personal data is a right of its own beside the role, and so is the tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Role(NamedTuple):
    """What a client is for."""

    what: str
    rpcs: frozenset[str]


def _rpcs(names: str) -> frozenset[str]:
    return frozenset(names.split())


# --- what several roles read ------------------------------------------------------------------------

_EVERYBODY = _rpcs("ListTenants")
"""It shows the caller's own tenants."""

_LOG = _rpcs("GetHistory GetOrderAsOf StreamFacts ListFactSchemas")
"""The facts themselves, in which personal data is sealed."""

_AUDIT = _rpcs("ListReads GetRetention GetOrderFile")
"""Who read personal data, how long it is kept, and all about an order at once."""

_ORDERS = _rpcs(
    "GetOrder GetSupplierOrder GetTimeline GetCustoms GetParcel ListMessages GetMessage ListCustomerInvoices"
)
_CASES = _rpcs("GetCase GetInquiry GetRecovery")
_SUPPLIERS = _rpcs("GetSupplier GetSku GetSupplierInvoice GetStockUp GetStock ProposeStockUps")
_TERMS = _rpcs("GetPolicy ListClocks ListShippingServices FindCustomsTerritory GetTemplate ListTemplates")

_PEOPLE = _rpcs(
    "FindCustomer GetEvidence GetCommercialInvoice GetCustomerInvoice PreviewMessage GetTrackingLink GetTextChoice"
)
"""What is about a person whatever is asked."""

_READ_MODELS = _rpcs(
    """
    GetTracking FindParcels ListOrders ListSupplierOrders ListHolds ListCases ListInquiries ListRecoveries
    ListObligations ListBreaches CountObligations ListWork CountWork
    GetRates ListRates RankSuppliers GetTrend ListRateCases
    ListSuppliers ListReviewsDue ListSuspensionProposals ListSupplierTotals GetStatement ListStatementEntries
    ListSupplierInvoices ListStockUps ListStockLevels ListStockMovements ListListings
    ReviewTrade GetSummary GetMoneyTotals GetServiceClearing ListPaymentDifferences
    GetStatus ListReportTables ExportTables
    """
)
"""What is counted and listed, and how new it is."""

_ALL_READS = _EVERYBODY | _LOG | _ORDERS | _CASES | _SUPPLIERS | _TERMS | _READ_MODELS | _rpcs("GetWork")

_WORK = _rpcs("ClaimWork ReleaseWork AssignWork UnassignWork PutOffWork CommentOnWork FinishWork")
_STAFF = (
    _ALL_READS
    | _PEOPLE
    | _WORK
    | _rpcs("ExecuteBatch AddOrderNote TagOrder AskInquiry AnswerInquiry CloseInquiry RecordTextChoice")
)
"""The people of the retailer read all of it, and work in one queue."""


# --- what several roles do --------------------------------------------------------------------------

_BUYING = _rpcs(
    """
    PlaceOrder CompleteDetails RecordPayment CancelOrder AmendOrder ChangeAddress CompleteCustomsData
    RequestCustomerInvoice RecordChargeback ConfirmReceipt RecordReview WithdrawTrackingLink RenewTrackingLink
    """
)
"""What a customer does, as its shop or a person reports it."""

_HOLDS = _rpcs("PlaceHold ReleaseHold ConfirmOrder")
_RESERVATIONS = _rpcs("Reserve ExtendReservation ReleaseReservation")
_SENDING = _rpcs("SendSupplierOrder RerouteUnits RuleDelay")
_SHIPPING = _rpcs("AcknowledgeSupplierOrder PackSupplierOrder ShipSupplierOrder AnswerCancelRequest CorrectTracking")
"""What a supplier does with its orders."""
_TRACKING = _rpcs("RegisterParcel RecordCheckpoints ProveDelivery HandOverParcel ConfirmLoss")
"""What a carrier tells of parcels."""
_PARCELS = _rpcs("DisputeDelivery VoidParcel") | _TRACKING
_STOCK = _rpcs("RecordFeed SetBuffer SetLowStockThreshold")
_STOCK_UPS = _rpcs("AskStockUp AnswerStockUp WithdrawStockUp")
_MESSAGES = _rpcs("RetryMessage CancelMessage RecordBounce")
_OWN_TERMS = _rpcs("AgreePolicy PutTemplate WithdrawTemplate")
"""What the retailer says of itself."""
_RETURNS = _rpcs("RecordReturnLabel RecordReturnShipped RecordReturnReceived RecordInspection")
_HANDLING = _rpcs(
    """
    OpenCase AnswerCustomer RequestEvidence AddEvidence StartReview RuleLiability ApproveRemedy DenyCase
    GrantRefund DenyRefund RecordRefundPaid CancelCase ReopenCase
    """
)
"""A case from its first word to its end."""
_RECOVERING = _rpcs("OpenRecovery RaiseRecovery AnswerRecovery SettleRecovery WriteOffRecovery")
_CLAIMS = _rpcs(
    "CollectDocument FileClaim AcknowledgeClaim DecideClaim RecordClaimPayment AppealClaim ReturnClaimPayment"
)
_VENDORS = _rpcs(
    """
    RegisterSupplier UpdateSupplier ReviewSample AgreeTerms ApproveSupplier OfferSku WithdrawOffer RefuseDestination
    ServeDestination DescribeSku SuspendSupplier ReinstateSupplier RetireSupplier ReviewSupplier AcceptSuspension
    DismissSuspension
    """
)
_PAYABLES = _rpcs(
    """
    RecordSupplierInvoice MatchSupplierInvoice ApproveSupplierInvoice DisputeSupplierInvoice RecordSupplierCreditNote
    RecordSupplierPayment ReturnSupplierPayment
    """
)
_EDGES = _rpcs(
    """
    AddConnection RotateConnectionSecret PauseConnection ResumeConnection RemoveConnection ListConnections
    TestConnection TellStock TellOrders
    """
)
"""To which shops and tracking services the retailer is connected, and with which secrets."""
_INBOX = _rpcs(
    """
    ListConnections ListReceptions GetReception ReplayReception DropReception
    TellStock TellOrders ListEffects GetEffect ReplayEffect DropEffect
    """
)
"""What they told, and what they are told."""


# --- the table --------------------------------------------------------------------------------------

ADMIN = Role(
    "runs the installation: tenants, the retailer's terms, templates, rebuilding read models, erasing people",
    _EVERYBODY
    | _TERMS
    | _OWN_TERMS
    | _AUDIT
    | _EDGES
    | _rpcs(
        "CreateTenant GetStatus Diagnose RebuildProjection CompareSnapshots ErasePerson ExportPerson HoldPersonalData"
        " PreviewMessage ExecuteBatch CheckLedger"
    ),
)
OPERATIONS = Role(
    "moves orders, parcels and stock, and keeps the retailer's terms",
    _STAFF
    | _INBOX
    | _BUYING
    | _HOLDS
    | _RESERVATIONS
    | _SENDING
    | _SHIPPING
    | _PARCELS
    | _STOCK
    | _rpcs("Diagnose")
    | _STOCK_UPS
    | _MESSAGES
    | _OWN_TERMS
    | _RETURNS
    | _CLAIMS
    | _rpcs("IssueCreditNote OpenCase AnswerCustomer AddEvidence RecordRefundPaid DescribeSku"),
)
SUPPLIER_MANAGER = Role(
    "answers for suppliers: who they are, terms, offers, stock, reviews, invoices, what they owe",
    _STAFF
    | _HOLDS
    | _SENDING
    | _SHIPPING
    | _STOCK
    | _STOCK_UPS
    | _MESSAGES
    | _RECOVERING
    | _VENDORS
    | _PAYABLES
    | _rpcs("CompleteDetails CancelOrder CompleteCustomsData OpenCase RecordCheckpoints"),
)
AFTER_SALES = Role(
    "speaks with customers: cases, returns, refunds, claims on carriers",
    _STAFF
    | _BUYING
    | _HOLDS
    | _PARCELS
    | _MESSAGES
    | _RETURNS
    | _HANDLING
    | _RECOVERING
    | _CLAIMS
    | _rpcs("IssueCreditNote RerouteUnits"),
)
SHOP = Role(
    "a shop's system: what its customers buy, pay, change and complain of, and what became of it",
    _EVERYBODY
    | _BUYING
    | _RESERVATIONS
    | _rpcs("ExecuteBatch PlaceHold OpenCase AddEvidence CancelCase RecordRefundPaid AskInquiry")
    | _rpcs("GetOrder GetCustoms GetTracking FindParcels ListOrders GetCase GetInquiry GetStock ListListings")
    | _rpcs("GetCustomerInvoice ListCustomerInvoices ListShippingServices FindCustomsTerritory GetTrackingLink"),
)
CARRIER = Role("a carrier's or a tracking service's feed of scans", _EVERYBODY | _TRACKING | _rpcs("ExecuteBatch"))
SUPPLIER = Role(
    "a supplier, which sees and answers for its own supplier orders and stock, and nothing else",
    _EVERYBODY
    | _SHIPPING
    | _rpcs("ExecuteBatch RecordFeed AnswerInquiry AnswerStockUp")
    | _rpcs("ListSupplierOrders GetSupplierOrder ListInquiries GetInquiry ListStockUps GetStockUp"),
)
AUDITOR = Role(
    "reads everything but what is about a person whatever is asked, who read what is, and records nothing",
    _ALL_READS | _AUDIT | _rpcs("CheckLedger"),
)
REPORTING = Role("reads counts and lists from read models, for reports", _EVERYBODY | _READ_MODELS)

_OTHERS: Mapping[str, Role] = {
    "admin": ADMIN,
    "operations": OPERATIONS,
    "supplier_manager": SUPPLIER_MANAGER,
    "after_sales": AFTER_SALES,
    "shop": SHOP,
    "carrier": CARRIER,
    "supplier": SUPPLIER,
    "auditor": AUDITOR,
    "reporting": REPORTING,
}
OWNER = Role("may do everything", frozenset().union(*(role.rpcs for role in _OTHERS.values())))
ROLES: Mapping[str, Role] = {"owner": OWNER, **_OTHERS}
"""Every role by its name."""
