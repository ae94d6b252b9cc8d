"""The service: the book over HTTP, for dashboards, bots on other machines, and other programs."""
