"""The typed schema of conf/ and the rules that span its keys: composed once, and all problems reported together."""
