"""The version of this program: here, since reading it from its package costs a third of a command."""

VERSION = "0.1.0"
