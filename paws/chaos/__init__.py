"""Chaos: simulated nights during which processes die, disks fill and clocks jump, and what is left is judged."""
