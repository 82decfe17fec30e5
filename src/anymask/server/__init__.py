"""The annotation server: FastAPI over the data engine and the predictor.

Takes: HTTP requests, a configuration, a store.
Gives: JSON and bytes as `schemas.py` says them, errors as one sentence each, the built browser tool.
Next: the browser tool in `web/`, and any other client generated from the OpenAPI description.
"""
