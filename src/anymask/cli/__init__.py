"""The command line: one file per verb, and the only place that prints.

Takes: arguments.
Gives: files, text or JSON on standard output, progress and errors on standard error, and an exit code.
Next: people, shell scripts and other programs.
"""
