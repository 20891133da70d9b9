"""Benchmarks' tasks, found in what is to be trained on: raw files, an annotator's positives, synthetic code."""

from snowcoder.corpus.decontamination.matcher import Hit, Matcher

__all__ = ["Hit", "Matcher"]
