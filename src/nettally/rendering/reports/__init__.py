"""What was found, told from the verdict to the evidence: in a terminal, and as one page."""
