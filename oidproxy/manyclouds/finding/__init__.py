"""Which of several clouds has what a request asks for by its id."""
