"""The doors: what speaks HTTP, and nothing that decides about consent."""
