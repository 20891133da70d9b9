"""Tokenizers: trained, checked for exact round trips, and fast with the reference's ids."""
