"""Workplace: the organisation, roles, and everybody's inbox."""
