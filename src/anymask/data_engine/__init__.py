"""The loop that makes masks, data and models improve each other.

Takes: pictures, people's actions, a model.
Gives: masks with how each was made, a journal of what people did, datasets, and releases of them.
Next: `server/` and `cli/` put people in front of it; `training/` learns from what it exports.
"""
