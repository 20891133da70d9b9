"""Fine-tuning: an exported model learns to answer instructions."""
