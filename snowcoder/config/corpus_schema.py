"""The sections of conf/ that decide what becomes of raw code, see `schema.py`."""

from __future__ import annotations

from typing import Literal

from snowcoder.config.section import Count, Natural, Positive, Section, Share


class EngineConfig(Section):
    """It decides speed, not the result."""

    kind: Literal["local", "ray"]
    """local: processes of this machine. ray: a Ray cluster, as slurm/corpus.sh starts on the nodes of its job."""

    workers: Natural
    """Processes; 0: one per core, of this process or of the cluster."""

    address: str
    """Address of the Ray cluster; `auto`: the one of this machine."""

    nodes: Natural
    """Nodes of the Ray cluster that are waited for."""


class NearConfig(Section):
    """Near duplicates by MinHash: `bands` of `rows` permutations each, candidates verified by their Jaccard.

    The numbers are SantaCoder's and StarCoder's.
    """

    enabled: bool
    """Drop near copies; without it exact ones alone are dropped."""

    level: Literal["file", "repository"]
    """What is a copy, exact or near, and dropped as a whole. repository is DeepSeek-Coder's way."""

    threshold: Share
    """Share of their shingles that two files have in common (Jaccard), for one to be the other's copy."""

    ngram: Count
    """Tokens a shingle."""

    permutations: Count
    """Hashes of a signature; at least `bands` x `rows`."""

    bands: Count
    """Parts of a signature; files that have one in common are compared."""

    rows: Count
    """Hashes of a band: more of them propose fewer pairs."""

    min_tokens: Natural
    """Files of fewer tokens are only compared exactly."""


class LineRule(Section):
    """Long lines are data, or code that a program has written."""

    mean: Positive
    """Mean length of the lines in characters, at most."""

    longest: Count
    """Length of the longest line in characters, at most."""

    lenient: list[str]
    """Languages of which only the longest line counts, against `lenient_longest`."""

    lenient_longest: Count
    """Length of the longest line of these in characters, at most."""


class CharacterRule(Section):
    """Files of few letters are data."""

    letters: Share
    """Share of letters of all characters, at least."""

    digits_count: list[str]
    """Languages in which digits count as letters; `all`: in every one."""


class EncodedRule(Section):
    """StarCoder2's rule."""

    longest: Count
    """Characters of one piece, at most."""

    share: Share
    """Share of the file that such pieces take together, at most."""


class HtmlRule(Section):
    """The text is what is left without tags, scripts and styles."""

    characters: Natural
    """Characters of visible text, at least."""

    share: Share
    """Share of the file that is visible text, at least."""


class SizeRule(Section):
    """DeepSeek-Coder and StarCoder have it for JSON and YAML."""

    characters: tuple[Natural, Count]
    """Characters of a file, from and to."""

    languages: list[str]
    """Languages that the rule is for."""


class DataRule(Section):
    """StarCoder2's rule, for languages that hold data more often than code."""

    lines: Count
    """Lines, at most."""

    languages: list[str]
    """Languages that the rule is for."""


class FiltersConfig(Section):
    """Null or false turns a rule off.

    The presets are published recipes; the paper has "basic filtering" and no thresholds.
    """

    languages: list[str] | None
    """Only files in these languages are kept, names as GitHub's Linguist has them; null: all."""

    vendored: bool
    """Drop a repository's copies of libraries, by Linguist's paths."""

    generated: bool
    """Drop files that a program has written: those that say so in their first five lines (StarCoder2), and others by
    Linguist's rules."""

    max_lines: Count | None
    """Lines of a file, at most."""

    lines: LineRule | None
    """By the lengths of lines."""

    characters: CharacterRule | None
    """By the share of letters."""

    encoded: EncodedRule | None
    """By how much of it is data in base64, hexadecimal or escapes."""

    xml: bool
    """Drop XML, whatever the file's name says; XSLT stays."""

    html: HtmlRule | None
    """By how much text HTML shows."""

    sizes: SizeRule | None
    """By the size of files in some languages."""

    data: DataRule | None
    """By the lines of files in some languages."""

    text_names: list[str] | None
    """Names of files in Text that are kept: a part of the name, or with = in front the name without its suffix; null:
    all. StarCoder2's rule."""


class CorpusConfig(Section):
    input: str
    """Folder or S3 prefix of raw shards; `corpus pack` writes there."""

    output: str
    """Folder or S3 prefix where clean documents go, as shards."""

    work: str
    """A folder that all nodes see, where the steps leave their files: a killed build goes on from what lies there."""

    engine: EngineConfig
    """Where work items run, those of `annotate score` and `annotate select`, too."""

    partition_mib: Count
    """Text that a work item holds in memory at once, in MiB."""

    samples: Natural
    """Dropped files that the reports show, of each rule."""

    near: NearConfig
    """How copies are found."""


class RepositoriesConfig(Section):
    """How much is read of a repository that nobody vouches for; the limits are ours."""

    languages: list[str]
    """Files in others are not packed; names as GitHub's Linguist has them."""

    max_file_mib: Positive
    """Size of a file in MiB, at most: larger files are data, not code that people write."""

    max_files: Count
    """Entries of one repository; one with more is not packed."""

    max_gib: Positive
    """GiB read or decompressed of one repository; one with more is not packed."""

    max_ratio: Positive
    """Decompressed size of an archive to its own, at most; looked at from 64 MiB on."""

    git_minutes: Positive
    """Minutes for the whole of one git repository."""


class LicencePolicyConfig(Section):
    allowed: Literal["permissive", "any"]
    """permissive: files under the licences of snowcoder/corpus/licences/permissive.txt. any: whatever the licence."""

    also_allowed: list[str]
    """SPDX identifiers that count as permissive besides those of permissive.txt."""

    unlicensed: Literal["keep", "drop"]
    """What becomes of files without a licence. The Stack v1 dropped them, StarCoder2 kept them."""

    opt_out: str | None
    """File of repositories that are left out: a name or owner/* a line."""


class PiiConfig(Section):
    enabled: bool
    """Replace e-mail addresses, IP addresses, keys and passwords."""


class DecontaminationConfig(Section):
    """Files that hold a benchmark's problem or solution are dropped."""

    benchmarks: list[str]
    """Files of tasks, or folders of them: .jsonl, .jsonl.gz, .jsonl.zst, .json, .parquet."""

    ngram: Count
    """Words of an n-gram; a shorter text must be there whole. DeepSeek-Coder has 10."""

    share: Share
    """Share of a text's n-grams that a file must have to be dropped; 0: any one, as DeepSeek-Coder has it."""

    renamed: Share | None
    """Share of a solution's n-grams without its names that a file must have; null: they are not looked for.

    Chosen by us: 12-grams, and 0.6 of them.
    """

    shortest: Count
    """Words of a text that is looked for, at least: shorter ones say nothing. DeepSeek-Coder has 3."""


class GroupingConfig(Section):
    """Also the order of the files in it (paper, table 3)."""

    by: Literal["file", "subgraph", "repository", "language"]
    """file: a document each. subgraph: the files of a repository that imports join. repository: all of its files.
    language: those in one language, the paper's choice."""

    order: Literal["random", "dependency"]
    """dependency: a file after those that it imports."""

    max_mib: Positive
    """Size of a document in MiB, at most: longer groups are split between files."""
