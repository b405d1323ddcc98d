"""What follows by itself for deals."""
