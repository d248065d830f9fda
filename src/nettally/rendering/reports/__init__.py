"""Reports on checks and explanations, from the verdict to the evidence: text, and one page."""
