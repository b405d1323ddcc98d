"""What the workplace does of itself when something has happened, here or elsewhere."""
