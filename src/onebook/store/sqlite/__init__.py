"""A book in one SQLite file, through apsw and the SQLite it brings along."""
