"""Imports connexion before anything else does: with it comes starlette's test client, which warns of httpx."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import connexion  # type: ignore[import-untyped]  # noqa: F401
