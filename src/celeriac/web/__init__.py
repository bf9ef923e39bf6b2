"""The console and the HTTP API: both show `Queries` and call `Commands`, and share nothing else."""
