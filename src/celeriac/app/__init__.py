"""Use cases: what the observer, the keeper and the console do, in terms of the core and of the ports."""
