"""Exact and near copies: MinHash proposes pairs, and the exact Jaccard of their shingles decides."""
