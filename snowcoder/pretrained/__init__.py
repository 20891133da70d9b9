"""Models of others: loaded whole, from safetensors, or refused in one line."""
