"""The performance figures of the house, each beside a peer, in one run, as ratios (``make bench``)."""
