"""Merging: the collections of many clouds as one, in pages. Pure: no I/O, no clock."""
