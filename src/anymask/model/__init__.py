"""Prompt -> model -> mask, in tensors only.

Takes: preprocessed images and prompt batches, as tensors.
Gives: image embeddings, mask logits and predicted IoU.
Next: `predict/` makes it useful on pictures, `training/` improves it.
"""
