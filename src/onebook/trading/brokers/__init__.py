"""Venues that take orders, one file each, behind one port."""
