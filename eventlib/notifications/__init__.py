"""Pushes: what is told to whom, once, through a gateway."""
