"""Real workers, broken in every known way beside healthy ones: `make fault-matrix` and `make soak`."""
