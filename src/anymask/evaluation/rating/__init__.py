"""The human rating study: masks of several columns, rated one at a time by people who do not know whose they are.

Takes: labelled pictures, segmenters or the results of `protocols/points.py`; then what people gave.
Gives: a study folder to put before raters; means, paired tests and a report of their ratings.
Next: `data_engine/ratings.py` keeps a study's ratings, `cli/evaluate/rating.py` joins the steps.
"""
