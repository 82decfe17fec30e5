"""`anymask dataset`: a file per kind of work on data on disk, and one that joins them as verbs.

Takes: datasets in any form that is read.
Gives: datasets in another form or cut, facts and findings, pictures to look at, reports.
Next: `anymask train`, people, other programs.
"""
