"""How good a segmenter is: a model or a baseline, on labelled pictures, in numbers with error bars.

Takes: records of `dataset/`, and anything that answers a `Prompt` (a `Predictor`, GrabCut, Felzenszwalb's regions).
Gives: mean IoU per set and over sets with bootstrap intervals, differences between two segmenters, reports.
Next: `cli/evaluate/` prints them; `data_engine/promote.py` decides by them.
"""
