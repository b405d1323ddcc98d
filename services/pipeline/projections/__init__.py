"""What people see of deals."""
