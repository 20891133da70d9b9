"""Evaluation of exported models: HumanEval(+), MBPP(+), EvoEval, BigCodeBench, infilling, bits per byte."""
