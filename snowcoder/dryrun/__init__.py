"""One training step of the true layout without its GPUs: memory, collectives, FLOPs, and a table of layouts."""
