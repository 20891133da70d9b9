#!/usr/bin/env bash
# openai's client on aiohttp reports a connection that the server closed as a timeout, after a hundredth of a second.
#
# Versions: openai 3.57.0 with its extra aiohttp (aiohttp 3.14.5, httpx2 2.16.2), Python 3.11 or 3.12.
# Input: an HTTP server that reads a request and closes the connection, as one does that is stopped or runs out of memory.
# Expected: openai.APIConnectionError on both transports, and APITimeoutError only where `timeout` (here 60 s) has passed.
# Seen: on its own transport APIConnectionError; on aiohttp APITimeoutError, whose cause is a ConnectTimeout, at once.
# So: who tells a slow server from a dying one (to back off, or to ask another one) looks through the causes for aiohttp's
#   ServerDisconnectedError, or at the clock.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check 'openai[aiohttp]==3.57.0' aiohttp==3.14.5 httpx2==2.16.2
"$place/venv/bin/python" - <<'PYTHON'
import asyncio
import sys
import time

import openai

TIMEOUT = 60


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def error_of(url: str, transport: object) -> tuple[str, str, bool]:
    """The error, its cause, and whether it came long before the timeout."""
    began = time.monotonic()
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=transport) as client:
        try:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
        except openai.OpenAIError as error:
            return type(error).__name__, type(error.__cause__).__name__, time.monotonic() - began < TIMEOUT / 6
    raise AssertionError("an answer")


async def main() -> int:
    server = await asyncio.start_server(close, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    plain = await error_of(url, openai.DefaultAsyncHttpxClient(timeout=TIMEOUT))
    aiohttp = await error_of(url, openai.DefaultAioHttpClient(timeout=TIMEOUT))
    print("own transport:", *plain)
    print("aiohttp:      ", *aiohttp)
    known = ("APIConnectionError", "RemoteProtocolError", True), ("APITimeoutError", "ConnectTimeout", True)
    return (plain, aiohttp) != known


sys.exit(asyncio.run(main()))
PYTHON
