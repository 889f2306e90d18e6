"""Prints without an end when it is imported."""

while True:
    print("noise " * 10_000)
