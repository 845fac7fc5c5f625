"""Traces of requests for researchers: recorded, imported or made; replayed, asked what-if, compared."""
