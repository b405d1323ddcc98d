"""What people see of customers."""
