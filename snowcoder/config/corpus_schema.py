"""The sections of conf/ that decide what becomes of raw code, see `schema.py`."""

from __future__ import annotations

from typing import Literal

from snowcoder.config.section import Count, Natural, Positive, Section, Share


class EngineConfig(Section):
    kind: Literal["local", "ray"]
    workers: Natural  # processes; 0: one per core, of this process or of the cluster
    address: str  # of a Ray cluster
    nodes: Natural  # of it, to be waited for


class NearConfig(Section):
    """Near duplicates by MinHash: `bands` of `rows` permutations each, candidates verified by their Jaccard."""

    enabled: bool
    level: Literal["file", "repository"]  # what is a copy, exact or near, and dropped as a whole
    threshold: Share  # of shingles that two files share, for one to be the other's copy
    ngram: Count  # tokens a shingle
    permutations: Count
    bands: Count
    rows: Count
    min_tokens: Natural  # shorter files are only compared exactly


class LineRule(Section):
    mean: Positive  # characters
    longest: Count
    lenient: list[str]  # languages of which only the longest line counts, against the next number
    lenient_longest: Count


class CharacterRule(Section):
    letters: Share  # of all characters, at least
    digits_count: list[str]  # languages in which digits count as letters; "all": in every one


class EncodedRule(Section):
    longest: Count  # characters of one piece of base64, hexadecimal or escaped text
    share: Share  # of the file


class HtmlRule(Section):
    characters: Natural  # of visible text, at least
    share: Share  # of the file, at least


class SizeRule(Section):
    characters: tuple[Natural, Count]
    languages: list[str]


class DataRule(Section):
    lines: Count
    languages: list[str]


class FiltersConfig(Section):
    """Rules by which a file is dropped, in this order; null turns one off. Lengths are in characters."""

    languages: list[str] | None  # only these
    vendored: bool
    generated: bool
    max_lines: Count | None
    lines: LineRule | None
    characters: CharacterRule | None
    encoded: EncodedRule | None
    xml: bool  # XML whatever the file's name says
    html: HtmlRule | None
    sizes: SizeRule | None
    data: DataRule | None
    text_names: list[str] | None  # of files in Text: a part of the name, or with "=" in front the name without suffix


class CorpusConfig(Section):
    input: str  # raw shards
    output: str  # clean documents, as shards
    work: str  # a folder that all nodes see; what a killed build has finished lies here
    engine: EngineConfig
    partition_mib: Count  # text that a task holds in memory at once
    samples: Natural  # dropped files kept for the report, by filter and shard
    near: NearConfig


class RepositoriesConfig(Section):
    """What `corpus pack` takes from repositories, and how much of an untrusted one it reads."""

    languages: list[str]  # files in others are not packed; names as GitHub's Linguist has them
    max_file_mib: Positive  # larger files are data, not code that people write
    max_files: Count  # entries of one repository; one with more is not packed
    max_gib: Positive  # read or decompressed of one repository
    max_ratio: Positive  # of the decompressed size of an archive to its own, once 64 MiB are decompressed
    git_minutes: Positive  # for the whole of one git repository


class LicencePolicyConfig(Section):
    allowed: Literal["permissive", "any"]
    also_allowed: list[str]  # SPDX identifiers that count as permissive besides those of permissive.txt
    unlicensed: Literal["keep", "drop"]  # The Stack v1 dropped them, StarCoder2 kept them
    opt_out: str | None  # a file of repositories that are left out: a name or owner/* a line


class PiiConfig(Section):
    enabled: bool


class DecontaminationConfig(Section):
    """Files that hold a benchmark's problem or solution are dropped."""

    benchmarks: list[str]  # files of tasks, or folders of them: .jsonl, .jsonl.gz, .jsonl.zst, .json, .parquet
    ngram: Count  # words; shorter texts must be there whole
    share: Share  # of a text's n-grams that a file must have; 0: any one, as DeepSeek-Coder has it
    renamed: Share | None  # of a solution's n-grams without its names; null: they are not looked for
    shortest: Count  # words; texts shorter still say nothing


class GroupingConfig(Section):
    """What one training document is made of, and the order of the files in it."""

    # subgraph: the files of a repository that imports join; language: the files of a repository in one language
    by: Literal["file", "subgraph", "repository", "language"]
    order: Literal["random", "dependency"]  # dependency: a file after those that it imports
    max_mib: Positive  # longer groups are split between files
