"""`anymask evaluate`: a file per experiment, and one that joins them as verbs.

Takes: labelled pictures, models, baselines, results files.
Gives: tables on standard output, and a folder with the report.
Next: people, shell scripts, and `data_engine/promote.py` by way of the reports.
"""
