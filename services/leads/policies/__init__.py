"""What follows by itself for leads."""
