"""Phrase rules, topics and the customer's sentiment in words, on spaCy without a downloaded pipeline.

What an agent feels is never computed; there is no switch for it.
"""
