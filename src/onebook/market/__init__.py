"""What markets show: prices, bars, streams, indicators and calendars. None of it is a fact of the book."""
