"""One resource kept in several clouds: made, changed and deleted in all of them, with a journal of it."""
