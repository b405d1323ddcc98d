"""What billing decides: contracts, plans, payments, invoices, and the books they are posted to."""
