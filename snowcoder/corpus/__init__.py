"""Raw repositories to clean documents: packed, filtered, deduplicated, decontaminated, washed, grouped."""
