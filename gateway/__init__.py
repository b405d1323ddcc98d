"""The HTTP edge: every method of every contract as HTTP/JSON, with one OpenAPI document.

Built from the contracts under `proto/` alone; it knows no service, only where each one listens.
"""

from gateway.app import create_app

__all__ = ["create_app"]
