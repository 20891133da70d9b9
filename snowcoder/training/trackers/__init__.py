"""Where a run's scalars go beside metrics.jsonl: TensorBoard, Weights & Biases, MLflow, Prometheus.

All get the same numbers, each in a thread of its own: neither a server's delay nor its absence reaches training.
"""
