"""Training data that language models write: seeds, prompts, answers, and checks of what is kept."""
