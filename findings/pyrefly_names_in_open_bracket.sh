#!/usr/bin/env bash
# pyrefly's completions behind a dot lack all members where a bracket is still open and another line follows.
#
# Version: pyrefly 1.5.0, its language server (`pyrefly lsp`), Python 3.11 or later.
# Input: completion behind the dot of `print(words.` in a function whose parameter `words` is a list[str]: at the file's end,
#   before a line `return words`, before a line `total = 1`, and before each of the two with the bracket closed, `print(words.)`.
# Expected: the members of a list (append, copy) in each: the receiver and the place are the same, and a call is written so.
# Seen: members at the file's end and where the bracket is closed. Where it is open, nothing at all before `return words`, and
#   before `total = 1` names in scope and keywords (words, print, lambda), as if there were no dot: nothing in the reply
#   tells that list from one of members.
# So: close the brackets that are open before the rest of the text, and read a list with `lambda` in it, behind a dot, as no answer.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pyrefly==1.5.0
mkdir "$place/project"
cd "$place/project"
cat > "$place/ask.py" <<'PYTHON'
import json
import subprocess
import sys
from pathlib import Path

root = Path.cwd()
server = subprocess.Popen([sys.argv[1], "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
assert server.stdin and server.stdout


def send(**message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    server.stdin.flush()


def answer(number):
    """What the server says to a request; its own questions are answered with nothing."""
    while True:
        length = 0
        while (line := server.stdout.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = json.loads(server.stdout.read(length))
        if "method" in message and "id" in message:
            send(id=message["id"], result=[None] * len((message.get("params") or {}).get("items", [])))
        elif message.get("id") == number:
            return message["result"]


def labels(number, after):
    """Completions behind the dot, where `after` follows it."""
    before = "def f(words: list[str]):\n    print(words."
    uri = (root / f"file{number}.py").as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": before + after}
    send(method="textDocument/didOpen", params={"textDocument": document})
    where = {"line": 1, "character": len("    print(words.")}
    send(id=number, method="textDocument/completion", params={"textDocument": {"uri": uri}, "position": where})
    found = answer(number)
    return {item["label"] for item in (found["items"] if isinstance(found, dict) else found)}


send(id=0, method="initialize", params={"processId": None, "rootUri": root.as_uri(), "capabilities": {}})
answer(0)
send(method="initialized", params={})
places = {
    "open, at the end": "\n",
    "open, before return words": "\n    return words\n",
    "open, before total = 1": "\n    total = 1\n",
    "closed, before return words": ")\n    return words\n",
    "closed, before total = 1": ")\n    total = 1\n",
}
seen = {}
for number, (place, after) in enumerate(places.items(), 1):
    found = labels(number, after)
    seen[place] = "append" in found, "lambda" in found
    print(f"{place}: {len(found)} labels; a member: {seen[place][0]}; a keyword: {seen[place][1]}")
send(id=9, method="shutdown", params=None)
answer(9)
send(method="exit", params=None)
server.wait()
members, neither, keywords = (True, False), (False, False), (False, True)
sys.exit([*seen.values()] != [members, neither, keywords, members, members])
PYTHON
"$place/venv/bin/python" "$place/ask.py" "$place/venv/bin/pyrefly"
