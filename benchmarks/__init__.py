"""Measurements of this machine, as `make bench` prints them."""
