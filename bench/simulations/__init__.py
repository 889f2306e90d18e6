"""Simulated centres that prove what the product says about chance: ``make simulations``.

Here the truth is known, because it was drawn; so it can be counted how often a range holds it, how often
somebody is flagged for nothing, and how often coaching that did nothing is called a success.
"""
