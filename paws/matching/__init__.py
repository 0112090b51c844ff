"""Which calibrations serve a frame, and what is reduced when: pure rules, for live, offline and on demand alike."""
