"""What was published about a network, and whether it tallies."""
