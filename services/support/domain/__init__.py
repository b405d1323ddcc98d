"""What support means: tickets, promises, surveys, and the rules they keep."""
