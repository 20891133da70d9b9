"""What is known of a run: where it stands, on the terminal, as JSON or as a page."""
