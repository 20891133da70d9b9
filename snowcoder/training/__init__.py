"""Pretraining over all parallel ranks: the loop, what hooks into it, and all that lets a run go on."""
