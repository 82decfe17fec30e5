"""One module per experiment of the paper.

Takes: labelled records and segmenters.
Gives: the experiment's scores.
Next: `evaluation/report.py` and `cli/evaluate/`.
"""
