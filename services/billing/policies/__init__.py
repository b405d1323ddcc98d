"""Whenever something happens here or in sales, what billing does about it."""
