"""What a command has to say as a table: for a terminal, papers, pages, and other programs."""
