"""The stores: each keeps the promises of `ports/store.py` to the bit."""
