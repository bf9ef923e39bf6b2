"""What works inside other programs: it needs the core and the relying party alone."""
