"""Accounts: customers, the people in them and what was done with them."""
