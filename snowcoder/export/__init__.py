"""Checkpoints to Hugging Face folders that answer as they do, and Hugging Face Llamas to checkpoints."""
