"""Billing: contracts, payment plans, payments, invoices and the ledger that balances."""
