"""The language: text <-> tree, canonical text, tag. Knows no registry."""
