"""One file a step, in the order that `down_revision` says.

Takes: the tables as the step before left them.
Gives: the tables as the step after expects them.
Next: `migrations.upgrade` runs those that are due.
"""
