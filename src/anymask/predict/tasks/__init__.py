"""Other tasks solved by prompts alone, with no training for them (zero-shot transfer).

Takes: a `Predictor`, a picture, and for some tasks what another model found in it.
Gives: proposals and instances as a `MaskSet`, edges as a map of the picture's size.
Next: `cli/segment.py` writes them; `evaluation/protocols/` scores them.
"""
