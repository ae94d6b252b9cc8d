"""The service of the HTTP tests, for alerts."""

from tests.http.conftest import serve, served

__all__ = ["serve", "served"]
