"""Bulk generation: the parts of one run of the fully automatic stage.

Takes: pictures anywhere, settings, a folder.
Gives: a manifest, finished pieces, shards; the same bytes whoever did which piece, however often they were killed.
Next: `data_engine/automatic.py` joins them; `training/` reads the shards.
"""
