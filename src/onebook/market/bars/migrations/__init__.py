"""Schema steps of the bars, numbered; each runs once, in order."""
