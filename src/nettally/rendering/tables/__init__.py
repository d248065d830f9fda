"""A command's answer as a table: for a terminal, papers, pages, and other programs."""
