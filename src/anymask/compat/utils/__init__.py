"""The public package's `utils`: transforms, the exportable model, and the functions of its generator.

Takes: arrays and tensors.
Gives: the same, resized, scored or encoded.
Next: `compat/` uses them; new code takes `masks/`, `images/` and `predict/`.
"""
