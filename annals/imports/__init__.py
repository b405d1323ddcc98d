"""Bulk import: tables from other systems become commands, row by row, as a mapping says."""
