"""One training step of the true layout without its GPUs: memory, collectives and FLOPs of any rank, and a table of layouts."""
