"""Counting: the facts of each layer as rows, their sums under an accounting, and what follows."""
