"""A lint of what the store sends, for what Citus refuses: the tests have no cluster to ask.

`scopes` and `statement` say whom a statement is about, `rules` what is refused. `constants` finds
the statements in the source, `sent` those that the server was really sent. `exceptions` names what
may break a rule, and why.
"""
