"""Support: tickets and the time promised for them."""
