"""The order of the data as a function: from a plan and a step to the token ids of its batch."""
