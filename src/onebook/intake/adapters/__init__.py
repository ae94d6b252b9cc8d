"""Recording adapters: an existing bot trades as before, and the book hears of it."""
