"""What support does of itself when something has happened."""
