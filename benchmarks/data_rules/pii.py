"""`python -m benchmarks.data_rules.pii SHARDS`: what the rules for personal data find in real code, and miss.

A table of findings per MB by language, then each IP address and password with what stands around it, to be labelled by
a reader: no program can tell. Then recall on lines with random values, planted in the middle of files of the shards.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import islice

from benchmarks.data_rules.arguments import arguments
from snowcoder.config.compose import load_config
from snowcoder.corpus.pii.redact import find_personal_data
from snowcoder.storage.shards import list_shards, read_shard
from snowcoder.storage.store import open_store

_KINDS = ("ip_address", "password", "key")
_PLANTS = 1000  # files of each kind
# Language and line; the value stands for {}.
_PASSWORDS = [
    *[("Python", 'password: str | None = "{}"'), ("Python", "    'password': '{}',"), ("Python", 'password = "{}"')],
    *[("Go", 'var password string = "{}"'), ("Go", 'password := []byte("{}")'), ("Go", '\tPassword: "{}",')],
    *[("Rust", 'const PASSWORD: &\'static str = "{}";'), ("Rust", 'password: Some("{}".to_string()),')],
    *[("Java", 'String password = "{}";'), ("Java", 'source.setPassword("{}");')],
    *[("C", 'const char password[] = "{}";'), ("C", '#define PASSWORD "{}"'), ("C++", 'std::string password{"{}"};')],
    *[("TypeScript", "password: string = '{}';"), ("JavaScript", "const password = process.env.PW || '{}';")],
    *[("PHP", "'password' => env('DB_PASSWORD', '{}'),"), ("Ruby", "password: ENV.fetch('DB_PASSWORD', '{}')")],
    *[("SQL", "CREATE USER app IDENTIFIED BY '{}';"), ("SQL", "ALTER ROLE app WITH PASSWORD '{}';")],
    *[
        ("Shell", "mysql -u root -p'{}' shop"),
        ("Shell", "curl -u admin:{} https://ci.local/"),
        ("YAML", "password: {}"),
    ],
]
_ADDRESSES = [
    *[("Text", "{} db1.corp.net db1"), ("Text", '{} - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200')],
    *[("Shell", "ssh root@{}"), ("Shell", "iptables -A INPUT -s {}/32 -j DROP"), ("Python", 'if host == "{}":')],
    *[("Text", "@ IN A {}"), ("Text", 'TXT "v=spf1 ip4:{} -all"'), ("Text", "allow {};"), ("YAML", "  - {}:443")],
    *[("JavaScript", 'fetch("http://{}:8080/api")'), ("JSON", '{"ip": "{}"}'), ("Java", "connected to gateway/{}:80")],
]


def main(url: str) -> None:
    sizes: Counter[str] = Counter()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for content, language, path in _files(url):
        sizes[language] += len(content.encode())
        for kind, start, end in find_personal_data(content, language):
            counts[language][kind] += 1
            if kind in ("ip_address", "password"):
                print(kind, language, path, repr(content[max(0, start - 60) : end + 20]), sep="\t")
    print(f"{'language':20}{'MB':>8}" + "".join(f"{kind:>12}" for kind in _KINDS) + f"{'per MB':>10}")
    for language, size in sizes.most_common(20):
        row = counts[language]
        numbers = "".join(f"{row[kind]:12}" for kind in _KINDS)
        print(f"{language:20}{size / 1e6:8.1f}{numbers}{sum(row[kind] for kind in _KINDS) / size * 1e6:10.2f}")
    for kind, lines, value in (("password", _PASSWORDS, _password), ("ip_address", _ADDRESSES, _address)):
        print(f"{kind}: recall {_recall(url, kind, lines, value):.3f} on {_PLANTS} planted lines")


def _recall(url: str, kind: str, lines: list[tuple[str, str]], value: Callable[[random.Random], str]) -> float:
    draw, found = random.Random(0), 0
    for content, _, _ in islice(_files(url), _PLANTS):
        language, line = draw.choice(lines)
        planted, middle = value(draw), content.find("\n", len(content) // 2) + 1
        text = content[:middle] + line.replace("{}", planted) + "\n" + content[middle:]
        found += any(
            text[start:end] == planted for what, start, end in find_personal_data(text, language) if what == kind
        )
    return found / _PLANTS


def _password(draw: random.Random) -> str:
    letters = "".join(draw.choices("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ", k=draw.randint(5, 9)))
    at = draw.randint(1, len(letters))
    return letters[:at] + draw.choice("0123456789") + draw.choice(["", "!", "-", "_", "."]) + letters[at:]


def _address(draw: random.Random) -> str:
    return ".".join(str(draw.randint(low, high)) for low, high in ((20, 99), (0, 255), (0, 255), (1, 254)))


def _files(url: str) -> Iterator[tuple[str, str, str]]:
    config = load_config([])
    store = open_store(url, config.storage)
    for info in list_shards(store):
        with store.local(info) as local:
            for batch in read_shard(local.path, info.key, config.index.columns, 1 << 30):
                for content, language, path in zip(batch.contents, batch.languages, batch.paths, strict=True):
                    yield content, language or "", path or ""


if __name__ == "__main__":
    main(*arguments("pii", "SHARDS"))
