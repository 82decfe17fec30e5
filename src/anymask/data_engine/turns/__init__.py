"""The steps of one turn, each on its own; `data_engine/loop.py` puts them in order.

Takes: an engine's configuration, the annotation database and its store.
Gives: what each step made, as files in the turn's folder.
Next: `data_engine/loop.py`.
"""
