"""What brings facts in from elsewhere, and writes them out for elsewhere: files, row by row."""
