"""All that a run needs, checked before a node is asked for."""
