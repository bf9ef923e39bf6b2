"""The routes of the emulated foundation, one module for each of its parts."""
