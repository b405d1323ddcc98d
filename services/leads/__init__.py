"""Leads: prospects from first click to conversion, their pools and the rules that sort them."""
