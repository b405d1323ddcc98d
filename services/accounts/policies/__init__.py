"""What follows by itself for customers."""
