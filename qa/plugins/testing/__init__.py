"""The kit for plugin authors: a vendor in memory, faults on the wire, a clock that costs no time, the checks.

Public beside ``qa.plugins.api``. What the kit proves is proven with the product's own sync loop and the
product's own HTTP client; only the store and the network are in memory.
"""
