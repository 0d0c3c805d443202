"""What the use cases ask of the outside: Protocols whose docstrings are the contract."""
