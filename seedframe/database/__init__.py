"""The only rooms where SQL lives."""
