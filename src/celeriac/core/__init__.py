"""The pure core: what was seen goes in, verdicts and plans come out; no clock, no IO, no log, `now` is an argument."""
