"""PostgreSQL, which the ledger lives in: embedded or by a DSN, its roles, its replica, and the views for reporting."""
