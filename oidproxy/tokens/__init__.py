"""Tokens as values: how they are sealed and closed, whom a cloud admits, what is left of a token abroad."""
