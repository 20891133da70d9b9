"""What a dry run's output says of the kernels, which decide what is kept for the backward pass."""

SAID = {
    "transformer_engine": "stand-ins for Transformer Engine's, on megatron-core's local layers, that keep what those "
    "keep: norms their input and 1/rms, SwiGLU its input, attention q, k, v, output and log-sum-exp, rotary positions "
    "nothing",
    "torch": "torch's, as a CPU has them",
}
