"""What the workplace means: units, staff, roles, messages, and the rules they keep."""
