"""Documents to token ids in Megatron's .bin/.idx files, with a sidecar that names each document."""
