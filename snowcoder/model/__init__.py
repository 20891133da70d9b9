"""Llama as a megatron-core model, on GPUs and on CPUs, and its parameters under Hugging Face's names."""
