"""One router for each noun of the wire.

Takes: a request that passed sign-in and access.
Gives: what a function of the data engine answered, as a wire type.
Next: joined into one application by `server/app.py`.
"""
