"""What Celeriac can carry, measured on real brokers in turn with the real Flower. Run it as `make bench`."""
