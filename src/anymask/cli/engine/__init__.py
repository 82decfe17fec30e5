"""The verbs of `anymask engine`, which turn the loop.

Takes: an engine's folder.
Gives: turns, better models on the server, and pages that show them.
Next: `data_engine/loop.py` does the work.
"""
