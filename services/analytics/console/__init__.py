"""The console: web pages over the public API, for people."""

from services.analytics.console.pages import mount

__all__ = ["mount"]
