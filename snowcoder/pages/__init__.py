"""What the HTML pages of all stages have in common: one look, and one way to write them."""
