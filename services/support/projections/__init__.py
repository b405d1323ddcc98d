"""What can be asked of support."""
