"""Where a run goes on, and which steps it passes over: resume, going back, the ledger of skips."""
