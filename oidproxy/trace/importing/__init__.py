"""Traces out of other formats: what they have is kept, what they lack is said, and secrets stay behind."""
