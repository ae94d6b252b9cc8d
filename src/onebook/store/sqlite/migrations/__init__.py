"""Schema steps, numbered; each runs once, in order."""
