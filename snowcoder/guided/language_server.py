"""A language server as a child process: one document, its changes, and completions at a place of it.

Only what the Language Server Protocol 3.17 has is used, so that any stock server will do. JSON-RPC is pylsp's.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, TimeoutError
from os.path import commonprefix
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pylsp_jsonrpc.endpoint import Endpoint
from pylsp_jsonrpc.exceptions import JsonRpcException
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter

from snowcoder.errors import OperationError
from snowcoder.guided.places import NAME

_START_SECONDS = 600  # Java's takes 20 on two cores, and ten times as long on busy ones
_CLIENT = {
    "textDocument": {
        "completion": {
            "completionItem": {"snippetSupport": False, "insertReplaceSupport": True},
            "contextSupport": True,
            "completionList": {"itemDefaults": ["editRange", "commitCharacters", "data", "insertTextFormat"]},
        }
    },
    "workspace": {"configuration": True, "workspaceFolders": True, "didChangeConfiguration": {}},
}


class Reply(NamedTuple):
    """Completions at one place; `complete` is false where the server holds some back."""

    items: list[dict[str, Any]]
    complete: bool


class Missing(NamedTuple):
    """What a server cannot know of a text, for parts of the project are not there: all names, or members of classes."""

    names: bool = False
    members: bool = False


def written(item: Mapping[str, Any]) -> str:
    """What an item would write."""
    edit = item.get("textEdit") or {}
    return str(edit.get("newText") or item.get("textEditText") or item.get("insertText") or item["label"])


def first_name(text: str) -> str:
    """The name that `text` begins with; empty where there is none."""
    found = NAME.match(text)
    return found[0] if found else ""


class LanguageServer:
    """Raises OperationError if it cannot be started.

    Later it raises TimeoutError where an answer is late, RuntimeError where it is an error, EOFError when it has ended.

    private: a folder of the server's own, gone when it is closed: its workspace is the folder `project` in it, and not
    `root`, where the documents are.
    settle: waits for what the server does before it knows all names.
    """

    def __init__(
        self,
        command: Sequence[str],
        root: Path,
        language: str,
        settings: Mapping[str, Any],
        log: Path,
        private: TemporaryDirectory[str] | None = None,
        settle: Callable[[LanguageServer], None] | None = None,
    ) -> None:
        self.root, self.language, self.settings = root.resolve(), language, settings
        self.name, self.text, self.version = "", "", 0
        self._pending: Future[Any] | None = None
        self._private, self.announced = private, threading.Event()
        self._problems: Future[list[dict[str, Any]]] = Future()
        self._ids, self._last_id = itertools.count(1), ""
        try:
            with log.open("wb") as errors:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=root
                )
        except OSError as error:
            raise OperationError(f"the language server could not be started: {error}") from error
        self._endpoint = Endpoint(_Requests(self), JsonRpcStreamWriter(self.process.stdin).write, self._next_id)
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._initialize()
            if settle:
                settle(self)
        except (EOFError, TimeoutError, RuntimeError) as error:
            self._end()
            raise OperationError(f"the language server did not start: {error!r}; its log is {log}") from error

    def open(self, name: str, text: str) -> None:
        """Take the file `name`, below the root, for the document; it need not be there. With no text it is opened with
        the first that it is changed to."""
        self._check_running()
        if self.version:
            self._endpoint.notify("textDocument/didClose", {"textDocument": {"uri": self._uri()}})
        self.name, self.text, self.version, self._problems = name, text, 0, Future()
        if text:
            self._open(text)

    def change(self, text: str) -> None:
        """Only what differs is sent; all, where a carriage return is: two halves of a line end may differ alone."""
        self._check_running()
        if not self.version:
            self._open(text)
        if text == self.text:
            return
        old, self.text, self.version = self.text, text, self.version + 1
        first = _alike(old, text)
        most = min(len(old), len(text)) - first
        last = _alike(old[len(old) - most :][::-1], text[len(text) - most :][::-1])
        span = {"start": position(old, first), "end": position(old, len(old) - last)}
        edit = {"range": span, "text": text[first : len(text) - last]}
        if "\r" in old + text:
            edit = {"text": text}
        about = {"uri": self._uri(), "version": self.version}
        self._endpoint.notify("textDocument/didChange", {"textDocument": about, "contentChanges": [edit]})

    def complete(self, offset: int, seconds: float) -> Reply:
        """What may stand at a character of the document, which the server may filter by what stands before it."""
        where = {"textDocument": {"uri": self._uri()}, "position": position(self.text, offset)}
        found = self.ask("textDocument/completion", {**where, "context": {"triggerKind": 1}}, seconds)
        if isinstance(found, dict):
            return Reply(found["items"], not found.get("isIncomplete", False))
        return Reply(found or [], True)

    def ask(self, method: str, params: Any, seconds: float) -> Any:
        """A request's result. One that is late is taken back, for the server answers one after the other."""
        self._check_running()
        self._pending = self._endpoint.request(method, params)
        try:
            return self._pending.result(seconds)
        except JsonRpcException as error:
            raise RuntimeError(f"{method}: {error}") from error
        except TimeoutError:
            self._endpoint.notify("$/cancelRequest", {"id": self._last_id})
            raise

    def wait_until_announced(self, seconds: float) -> None:
        """For a server that says when it is ready (`language/status`, which JDT LS has beside the protocol)."""
        if not self.announced.wait(seconds):
            raise TimeoutError(f"not ready in {seconds} s")
        self._check_running()

    def problems(self, seconds: float) -> list[dict[str, Any]]:
        """The diagnostics of the document as it was opened, for a server that publishes them for each."""
        return self._problems.result(seconds)

    def published(self, uri: str, problems: list[dict[str, Any]]) -> None:
        if self.version and uri == self._uri() and not self._problems.done():
            self._problems.set_result(problems)

    def close(self) -> None:
        """Ends the server, whether it answers or not."""
        try:
            self.ask("shutdown", None, seconds=5)
            self._endpoint.notify("exit")
            self.process.wait(5)
        except (EOFError, TimeoutError, RuntimeError, subprocess.TimeoutExpired):
            pass
        self._end()

    def _open(self, text: str) -> None:
        self.text, self.version = text, 1
        document = {"uri": self._uri(), "languageId": self.language, "version": 1, "text": text}
        self._endpoint.notify("textDocument/didOpen", {"textDocument": document})

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._endpoint.shutdown()
        if self._private:
            self._private.cleanup()

    def _initialize(self) -> None:
        folder = Path(self._private.name, "project") if self._private else self.root
        uri = folder.as_uri()
        about = {"processId": os.getpid(), "rootUri": uri, "workspaceFolders": [{"uri": uri, "name": folder.name}]}
        options = {"settings": self.settings}
        self.ask("initialize", {**about, "capabilities": _CLIENT, "initializationOptions": options}, _START_SECONDS)
        self._endpoint.notify("initialized", {})
        self._endpoint.notify("workspace/didChangeConfiguration", {"settings": self.settings})

    def _next_id(self) -> str:
        self._last_id = str(next(self._ids))
        return self._last_id

    def _check_running(self) -> None:
        if self.process.poll() is not None:
            raise EOFError(f"the language server has ended with status {self.process.returncode}")

    def _listen(self) -> None:
        JsonRpcStreamReader(self.process.stdout).listen(self._endpoint.consume)
        if self._pending and not self._pending.done():
            self._pending.set_exception(EOFError("the language server has ended"))
        self.announced.set()

    def _uri(self) -> str:
        return (self.root / self.name).as_uri()


class _Requests(dict[str, Any]):
    """Answers to what the server asks: its settings; and nothing, to all else. What it announces is heard."""

    def __init__(self, server: LanguageServer) -> None:
        super().__init__()
        self.server = server

    def __getitem__(self, method: str) -> Any:
        handlers = {
            "workspace/configuration": self._settings,
            "language/status": self._status,
            "textDocument/publishDiagnostics": lambda params: self.server.published(
                params["uri"], params["diagnostics"]
            ),
        }
        return handlers.get(method, lambda params: None)

    def _status(self, params: dict[str, Any]) -> None:
        if params.get("type") == "ServiceReady":
            self.server.announced.set()

    def _settings(self, params: dict[str, Any]) -> list[Any]:
        return [self._section(item.get("section") or "") for item in params["items"]]

    def _section(self, path: str) -> Any:
        found: Any = self.server.settings
        for key in filter(None, path.split(".")):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def _alike(one: str, other: str) -> int:
    """Characters that both begin with."""
    return len(commonprefix([one, other]))  # noqa: RUF071 letters are meant, not parts of a path


def position(text: str, offset: int) -> dict[str, int]:
    """Line, which any of the three line ends ends, and UTF-16 units, as the protocol counts."""
    lines = re.split(r"\r\n|\r|\n", text[:offset])
    return {"line": len(lines) - 1, "character": len(lines[-1].encode("utf-16-le", "surrogatepass")) // 2}
