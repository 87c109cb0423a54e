"""The services of the contract: how the requests of their commands are read, and who answers their questions."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from adapters.doctor.machine import Premises
from adapters.messages.letters import Letters
from adapters.messages.senders import FileSender
from adapters.rpc import messages, stock, templates, tracking_links
from adapters.rpc.admin.asks import READERS as ADMIN
from adapters.rpc.admin.people import READERS as PEOPLE
from adapters.rpc.admin.people import Erasures, PeopleQueries
from adapters.rpc.batch import BatchCommands
from adapters.rpc.cases.asks import READERS as CASES
from adapters.rpc.cases.reads import CaseQueries
from adapters.rpc.commands import Commands, Readers
from adapters.rpc.customer_invoices.asks import READERS as CUSTOMER_INVOICES
from adapters.rpc.customer_invoices.reads import CustomerInvoiceQueries
from adapters.rpc.edges.asks import READERS as EDGES
from adapters.rpc.edges.reads import EdgeQueries
from adapters.rpc.exports import ExportQueries
from adapters.rpc.finding import FindingQueries
from adapters.rpc.inquiries.asks import READERS as INQUIRIES
from adapters.rpc.inquiries.reads import InquiryQueries
from adapters.rpc.ledger_checks import CheckingAudit
from adapters.rpc.messages import MessageQueries
from adapters.rpc.orders.asks import READERS as ORDERS
from adapters.rpc.orders.reads import OrderQueries
from adapters.rpc.orders.remarks import READERS as REMARKS
from adapters.rpc.orders.supplier_orders import READERS as SUPPLIER_ORDERS
from adapters.rpc.parcels.asks import READERS as PARCELS
from adapters.rpc.parcels.reads import ParcelQueries
from adapters.rpc.recoveries.asks import READERS as RECOVERIES
from adapters.rpc.recoveries.reads import RecoveryQueries
from adapters.rpc.reports import ReportQueries
from adapters.rpc.stock import StockQueries
from adapters.rpc.stock_ups.asks import READERS as STOCK_UPS
from adapters.rpc.stock_ups.reads import StockUpQueries
from adapters.rpc.supplier_invoices.asks import READERS as SUPPLIER_INVOICES
from adapters.rpc.supplier_invoices.reads import SupplierInvoiceQueries
from adapters.rpc.supplier_portal import SupplierPortalQueries
from adapters.rpc.suppliers.asks import READERS as SUPPLIERS
from adapters.rpc.suppliers.reads import SupplierQueries
from adapters.rpc.templates import TemplateQueries
from adapters.rpc.tracking_links import TrackingLinkQueries
from adapters.rpc.work.asks import READERS as WORK
from adapters.rpc.work.reads import WorkQueries
from adapters.tenants import Tenants
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    cases_pb2,
    customer_invoices_pb2,
    edges_pb2,
    exports_pb2,
    finding_pb2,
    inquiries_pb2,
    messages_pb2,
    orders_pb2,
    parcels_pb2,
    recoveries_pb2,
    reports_pb2,
    stock_pb2,
    stock_ups_pb2,
    supplier_invoices_pb2,
    supplier_portal_pb2,
    suppliers_pb2,
    templates_pb2,
    tracking_links_pb2,
    work_pb2,
)
from ledger.engine.sealing import Sealer

READERS: Readers = {
    **ORDERS,
    **SUPPLIER_ORDERS,
    **REMARKS,
    **stock.READERS,
    **SUPPLIERS,
    **PARCELS,
    **RECOVERIES,
    **INQUIRIES,
    **SUPPLIER_INVOICES,
    **CUSTOMER_INVOICES,
    **STOCK_UPS,
    **CASES,
    **ADMIN,
    **PEOPLE,
    **messages.READERS,
    **templates.READERS,
    **tracking_links.READERS,
    **WORK,
    **EDGES,
}
"""For every command's request: how it is read."""


def services(
    tenants: Tenants,
    sealer: Sealer,
    letters: Letters,
    commands: Commands,
    files: FileSender | None,
    premises: Premises,
    *,
    private_too: bool = False,
) -> dict[ServiceDescriptor, object]:
    """Every service, with what has its methods but for the commands."""
    erasures = Erasures(tenants, sealer, files)
    return {
        orders_pb2.DESCRIPTOR.services_by_name["OrderService"]: OrderQueries(tenants, sealer),
        stock_pb2.DESCRIPTOR.services_by_name["StockService"]: StockQueries(tenants),
        suppliers_pb2.DESCRIPTOR.services_by_name["SupplierService"]: SupplierQueries(tenants, sealer),
        parcels_pb2.DESCRIPTOR.services_by_name["ParcelService"]: ParcelQueries(tenants, sealer),
        recoveries_pb2.DESCRIPTOR.services_by_name["RecoveryService"]: RecoveryQueries(tenants, sealer),
        inquiries_pb2.DESCRIPTOR.services_by_name["InquiryService"]: InquiryQueries(tenants, sealer),
        supplier_portal_pb2.DESCRIPTOR.services_by_name["SupplierPortalService"]: SupplierPortalQueries(
            tenants, sealer
        ),
        stock_ups_pb2.DESCRIPTOR.services_by_name["StockUpService"]: StockUpQueries(tenants),
        supplier_invoices_pb2.DESCRIPTOR.services_by_name["SupplierInvoiceService"]: SupplierInvoiceQueries(
            tenants, sealer
        ),
        customer_invoices_pb2.DESCRIPTOR.services_by_name["CustomerInvoiceService"]: CustomerInvoiceQueries(
            tenants, sealer
        ),
        cases_pb2.DESCRIPTOR.services_by_name["CaseService"]: CaseQueries(tenants, sealer),
        audit_pb2.DESCRIPTOR.services_by_name["AuditService"]: CheckingAudit(tenants, sealer, letters),
        admin_pb2.DESCRIPTOR.services_by_name["AdminService"]: PeopleQueries(
            tenants, sealer, letters, premises, erasures
        ),
        batch_pb2.DESCRIPTOR.services_by_name["BatchService"]: BatchCommands(
            commands, {admin_pb2.ErasePersonRequest: erasures.command}
        ),
        reports_pb2.DESCRIPTOR.services_by_name["ReportService"]: ReportQueries(tenants),
        exports_pb2.DESCRIPTOR.services_by_name["ExportService"]: ExportQueries(tenants),
        finding_pb2.DESCRIPTOR.services_by_name["FindingService"]: FindingQueries(tenants, sealer),
        messages_pb2.DESCRIPTOR.services_by_name["MessageService"]: MessageQueries(tenants, letters),
        templates_pb2.DESCRIPTOR.services_by_name["TemplateService"]: TemplateQueries(tenants, letters),
        tracking_links_pb2.DESCRIPTOR.services_by_name["TrackingLinkService"]: TrackingLinkQueries(tenants, sealer),
        edges_pb2.DESCRIPTOR.services_by_name["EdgeService"]: EdgeQueries(tenants, sealer, private_too=private_too),
        work_pb2.DESCRIPTOR.services_by_name["WorkService"]: WorkQueries(tenants, sealer),
    }
