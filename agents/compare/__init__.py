"""The same frames reduced by two engines, and what differs: a regression test of reduction software."""
