"""Decoding beside a completion engine: a language server says which names can stand where one is being written."""
