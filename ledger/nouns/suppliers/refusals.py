"""What can be wrong about a supplier."""

from __future__ import annotations

from ledger.nouns.suppliers.state import Standing
from ledger.refusals import AlreadyExists, Forbidden, NotFound, sentence_only


class UnknownSupplier(NotFound, reason="UNKNOWN_SUPPLIER"):
    says = "supplier {supplier_id} is not registered; use SupplierService.RegisterSupplier"
    supplier_id: str


class SupplierRegisteredDifferently(AlreadyExists, reason="SUPPLIER_REGISTERED_DIFFERENTLY"):
    says = "supplier {supplier_id} is registered already with other content, which stays as it is"
    supplier_id: str


class UnknownWarehouse(NotFound, reason="UNKNOWN_WAREHOUSE"):
    says = "supplier {supplier_id} has no warehouse {warehouse}; use SupplierService.UpdateSupplier"
    supplier_id: str
    warehouse: str


class SampleMissing(Forbidden, reason="SAMPLE_MISSING"):
    says = "supplier {supplier_id} cannot be approved before a sample matched in material, packaging and manual"
    supplier_id: str


class TermsMissing(Forbidden, reason="TERMS_MISSING"):
    says = "supplier {supplier_id} cannot be approved before terms are agreed"
    supplier_id: str


class WrongStanding(Forbidden, reason="WRONG_STANDING"):
    says = "supplier {supplier_id} is {standing} and cannot be {wanted}"
    supplier_id: str
    standing: Standing
    wanted: str = sentence_only()


class SupplierNotApproved(Forbidden, reason="SUPPLIER_NOT_APPROVED"):
    says = "supplier {supplier_id} is {standing}, not approved; nothing can be assigned to it"
    supplier_id: str
    standing: str
