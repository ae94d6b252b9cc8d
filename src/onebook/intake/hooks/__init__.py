"""Alerts that come in: what others send over HTTP, as facts of the book. Reads only; ``http/hooks.py`` takes them."""
