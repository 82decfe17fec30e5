"""How the database came to be as it is, step by step, and the way there.

Takes: a database of any earlier version, or an empty one.
Gives: the tables of `tables.py`.
Next: `store.py` opens what is here.
"""
