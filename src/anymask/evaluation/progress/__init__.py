"""How a training run comes along, and what came of it, read from its folder alone.

Takes: run folders.
Gives: where a run is, how runs differ, learning curves as pages, and the model card.
Next: `cli/runs.py` shows it; `cli/train.py` leaves the card beside the weights.
"""
