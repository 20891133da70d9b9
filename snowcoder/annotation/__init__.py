"""The quality annotator: learns what good code is, scores every file, selects the best tokens for phase 2."""
