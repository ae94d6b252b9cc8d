"""The rules, pure: facts in, events and states out. No files, clocks, randomness, threads or dependencies."""
