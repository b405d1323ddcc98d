"""What can be asked of the workplace."""
