"""Where a book is kept: one port, and the places behind it. No rules live here."""
