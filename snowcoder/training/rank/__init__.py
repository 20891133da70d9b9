"""One rank as a process: its environment and groups, its signs of life, and how it ends."""
