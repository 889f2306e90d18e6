"""Charts drawn on the server: pure functions from data to SVG with a text alternative and a table."""
