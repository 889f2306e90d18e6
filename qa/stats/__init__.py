"""Pure statistics: every number about people is computed here, from plain values to plain values.

What has no answer is None with a reason, never 0, 100, NaN or a range of no width.
"""
