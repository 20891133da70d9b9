"""Code that runs inside the sandbox, after a program, and knows nothing of snowcoder: only its text is used."""
