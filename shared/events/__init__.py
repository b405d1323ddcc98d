"""The published language: every fact the contexts tell each other, one module per context."""
