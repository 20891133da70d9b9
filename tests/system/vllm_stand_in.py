"""In place of `vllm serve MODEL --host H --port P ...`, which needs GPUs: the tests' own server, at that address."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.synthesis.language_server import LanguageServer
from tests.synthesis.model import answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tensor-parallel-size", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(LanguageServer(answer, seconds=0.05).serve(lambda _: None, arguments.host, arguments.port))


if __name__ == "__main__":
    main()
