"""The Berkeley boundary benchmark: how well do predicted lines agree with the lines that several people drew?

Takes: edge maps or segmentations of a picture, and each annotator's line map.
Gives: counts of matched pixels at every threshold, and ODS, OIS, AP and R50 over many pictures.
Next: `protocols/edges.py` runs it over a dataset, `edges_report.py` shows what came out.
"""

from anymask.evaluation.boundaries.matching import Counts, Matched, count_matches, match_lines, thresholds
from anymask.evaluation.boundaries.scores import Scores, curve, score, score_differences, score_intervals

__all__ = [
    "Counts",
    "Matched",
    "Scores",
    "count_matches",
    "curve",
    "match_lines",
    "score",
    "score_differences",
    "score_intervals",
    "thresholds",
]
