"""What a rider on a licence takes back: commercial use, training, hosting, and the like.

A sentence counts if it forbids or narrows a use of the work. A sentence that guards names, notices or warranties does
not: permissive licences have those too. Riders that the rules were made after: the Commons Clause 1.0, RAIL,
Hippocratic 2.1, the JSON licence, BUSL-1.1, SSPL-1.0, Elastic-2.0, PolyForm, and ScanCode's texts of such categories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

UNKNOWN = "LicenseRef-unknown"  # there is a licence, and it is none of SPDX's
RESTRICTED = "LicenseRef-restricted"
_LONGEST, _OVERLAP = 1200, 200  # characters; a longer sentence has no full stops, and is looked at in pieces
_HYPHENS = re.compile(r"[\u2010-\u2015\u2212]")
_APOSTROPHES = re.compile("[\u2018\u2019]")
_MARGIN = re.compile(r"\n[ \t*#>|/;=~-]*")  # of comments and of Markdown
_MARKUP = re.compile(r"[*_`\"\u201c\u201d\u00ad\u200b]|</?[a-z][a-z0-9]*(?: [a-z-]+=[^<>\n]{0,300})?/?>")
_SPACE = re.compile(r"\s+")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<![:,])\n(?:[ \t*#>|/;=~-]*\n)+")

_NOT = (
    r"(?:\b(?:(?<!may or )may|must|shall|should|can|could)(?: not\b|n't\b| never\b| only\b| in no )|\bcannot\b"
    r"|\bnever\b|\bnot (?:be )?(?:permitted|allowed|licen[cs]ed|authori[sz]ed|granted|include|extend|to be|for"
    r"|give)\b|\bas long as you (?:do not|don't)\b|\bdo(?: not|n't) (?:redistribute|sell|train)\b"
    r"|\bnot have (?:the |any )?(?:right|permission)|\bbut not (?:to|as|for|sell|distribut\w+|in)\b"
    r"|\b(?:prohibit|forbid|disallow|exclud)\w*|\bno (?:right|permission|licen[cs]e|part|portion)s?\b)"
)
_USE = (
    r"\b(?:us(?:e[ds]?|ing|age)|s[eo]l(?:l|ls|d|ling)|resell\w*|resale|(?:re)?distribut\w+|cop(?:y|ied|ying)"
    r"|modif\w+|train\w*|deploy\w*|host\w*|sublicen[cs]\w+|commerciali[sz]\w+|exploit\w*|fork\w*|publish\w*|run"
    r"|execut\w+|offer\w*|incorporat\w+|reproduc\w+|translat\w+|decompil\w*|reverse engineer\w*|disclos\w+|rent"
    r"|leas(?:e|ed|ing)|lend|transfer\w*|creat\w+ derivative)\b"
)
_NARROW = r"\b(?:only|solely|exclusively|(?:restricted|limited|confined) to|for the sole purpose)\b"
_PURPOSE = (
    r"\b(?:academic|(?:scientific|university) research|research(?:ers)?|educat\w+|teaching|personal|private"
    r"|internal|evaluation|hobby\w*|students?|non-?profit|not[ -]for[ -]profit)\b"
)
_MONEY = r"\b(?:fees?|pay\w*|paid|purchas\w+|contact|obtain\w*|requires?|separate(?:ly)?|buy|acquir\w+)\b"
_COMMERCIAL = r"\bcommercial(?:ly)?\b(?! (?:support|consult\w*|assistance|maintenance)\b)"
_LEARNING = (
    r"\b(?:train(?:ing|ed)?|fine-?tun\w+|machine[ -]learning|artificial intelligence|ai|llms?|language models?"
    r"|generative|neural|(?:text and )?data[ -]mining|scrap(?:e|ing)|crawl\w*|data ?sets?)\b"
)
_PERMISSION = r"(?:permission|consent|approval|authori[sz]ation)\b"
_OF_HOSTS = r"(?:\bhosted\b|\bmanaged service|\bcloud\b|\bsaas\b|software[ -]as[ -]a[ -]service|\bcompet(?!ent)\w+)"
_HARM = (
    r"\b(?:human rights|weapons?|military|surveillance|harm (?:to )?(?:others|people|humans)|law enforcement"
    r"|police|fossil fuels?|discriminat\w+|disinformation|gambling)\b"
)

# The words of a licence itself, which are none of a credit's or a notice's.
_GRANT = (
    r"\bhereby (?!plac|dedicat|releas)|\bredistributions? (?:and use|of source|in binary)"
    r"|\bgrants? (?:you|to you|permission|any)\b|\bpermission (?:is|to (?:use|copy|modify|redistribute))\b"
    r"|\blicen[cs]e agreement\b|\bnon-?(?:exclusive|transferable)\b|\blicen[cs](?:ees?|ors?)\b"
    r"|\byou (?:must |will |shall )?agree\b|\bterms of use\b|\bsubject to the (?:following|terms below)"
    r"|\byou (?:may|can|are free to) (?:freely )?(?:use|copy|modify|distribute|redistribute)\b"
)

# What is found, a sentence that says it, and what in the sentence says otherwise. The first one to fit counts.
_RULES = [
    (
        "LicenseRef-Commons-Clause",
        r"\bcommons?[ -]clau?se\b|\b(?:not include|not grant)\b.{0,80}\bright to sell\b",
        r"\b(?:without|no|removed|dropped) (?:the )?commons[ -]clause",
    ),
    ("LicenseRef-non-commercial", r"\b(?:mit|isc|bsd|apache|by)-nc\b", r"(?!)"),
    (
        "LicenseRef-no-training",
        rf"(?:{_NOT}|\bno |\bdo(?: not|n't) (?:use|feed|scrape|crawl)\b|\bopt(?:s|ed)?[ -]out\b"
        rf"|(?<!rights )\breserv\w+\b|\brights reserved,? (?:for|in|to)).{{0,200}}{_LEARNING}"
        rf"|{_LEARNING}.{{0,200}}{_NOT}",
        r"\bnot? (?:required|responsible|liable)|\b(?:is|are) (?:not )?included"
        r"|^no\b.{0,60}\b(?:was|were) (?:used|written|generated|created|made)\b"
        r"|^no warrant|^no (?:data ?sets?|models?)\b.{0,40}\bare (?:distributed|shipped|provided|bundled)\b",
    ),
    (
        "LicenseRef-non-commercial",
        r"\bnon-?commercial(?:ly)?\b",
        r"\bcommercial(?:ly)?(?:,? (?:or|and|and/or|as well as) (?:for )?|/)non-?commercial"
        r"|\bnon-?commercially developed|\bnon-?commercial(?:ly)?(?:,? (?:or|and|and/or|as well as) (?:for )?"
        r"|/)commercial|\bboth\b.{0,40}commercial",
    ),
    (
        "LicenseRef-non-commercial",
        rf"{_COMMERCIAL}.{{0,200}}(?:{_NOT}|{_MONEY})"
        rf"|(?:{_NOT}|{_MONEY}|\bno |\bwithout\b).{{0,120}}{_COMMERCIAL}|\bcommercial licen[cs]e\b"
        rf"|{_NOT}.{{0,80}}\b(?:sell|sold|selling|resell|resold|resale|for profit|charge|monetary)\b",
        r"\b(?:any|every|all) (?:purpose|use)|\bincluding (?:without limitation )?commercial"
        r"|\bno (?:restriction|limitation)s?\b|\bwithout (?:any |a )?(?:restriction|limitation|fee|charge|royalt)"
        r"|\bfree of charge\b|\bno (?:fee|charge|royalt)"
        r"|\bcommercial(?:ly)? (?:use )?(?:is|are) (?:also |explicitly |expressly )?(?:permitted|allowed|welcome"
        r"|fine|ok)|\bno commercial licen[cs]e\b|\bcommercial products, process|\bwith or without\b"
        r"|\bcommercial(?:ly)? (?:and|or) non"
        r"|\b(?:use|used|available|licen[cs]ed) (?:(?:it|this \w+|the \w+) )?under (?:either )?(?:the )?"
        r"(?:mit|isc|bsd|apache|zlib)\b[^,]{0,60}\bor (?:(?:obtain|buy|purchase|get|under) )?(?:an? |our |the )?"
        r"(?:separate )?commercial licen[cs]e(?! (?:for|if|when))\b",
    ),
    (
        "LicenseRef-limited-purpose",
        rf"{_NARROW}.{{0,80}}{_PURPOSE}|{_PURPOSE}.{{0,80}}{_NARROW}"
        rf"|\b(?:personal|academic|non-?profit) (?:use|basis)\b"
        r"|\bonly (?:on|in|with|for)\b.{0,60}\b(?:devices?|hardware|chips?|asics?)\b",
        r"\bany (?:purpose|use)|\bnot (?:limited|restricted) to\b|\bincluding\b|\bwritten for\b"
        r"|^disclaimer\b.{0,80}\bfor (?:educat\w+|research)\b",
    ),
    ("LicenseRef-no-hosting", rf"{_NOT}.{{0,200}}{_OF_HOSTS}|{_OF_HOSTS}.{{0,120}}{_NOT}", r"\bunfair competition\b"),
    (
        "LicenseRef-source-available",
        r"\b(?:business source licen[cs]e|bu?sl[ -]?1\.1|server side public licen[cs]e|sspl|elastic licen[cs]e"
        r"|functional source licen[cs]e|fsl-1|polyform|fair source|fair core|sustainable use|additional use grant"
        r"|confluent community)\b"
        r"|(?<!ready for )(?<!intended for )(?<!recommended for )(?<!suitable for )(?<!meant for )\bproduction use\b",
        r"(?!)",
    ),
    (
        "LicenseRef-use-restrictions",
        r"\bfor good,? (?:and )?not (?:for )?evil\b|\bhippocratic\b|\bethical (?:source|licen[cs]e|use)"
        r"|\banti-?(?:996|capitalist)\b|\buse-based restriction"
        r"|\b(?:open ?)?rail(?:-[dams])?\b.{0,40}\blicen[cs]e|\bresponsible ai\b|\bacceptable use polic"
        rf"|{_NOT}.{{0,200}}{_HARM}",
        r"(?!)",
    ),
    (
        RESTRICTED,
        rf"{_NOT}.{{0,80}}{_USE}|{_USE}.{{0,120}}\b(?:prohibited|forbidden"
        rf"|not (?:be )?(?:permitted|allowed|authori[sz]ed))\b|\b(?:only with|unless) .{{0,60}}\b{_PERMISSION}"
        rf"|\btrade secrets?\b|\bfor use only\b"
        r"|(?<!if it )\b(?:is|are) (?:now )?(?:closed[ -]source|proprietary)\b"
        r"|\bno longer (?:open[ -]source|free software|licen[cs]ed|available|released)\b"
        r"|\b(?:was|were) (?:licen[cs]ed|released|available) under\b.{0,60}\buntil\b"
        r"|\bproprietary\b.{0,80}\bconfidential\b|\bconfidential\b.{0,80}\bproprietary\b"
        r"|\b(?:everyone|everybody|anyone|anybody)\b.{0,80}\b(?:except|but not|other than)\b"
        r"|\bexcept (?:for |by )?(?:the following|those|employees|entities|companies|persons|any)\b"
        r"|(?:licen[cs]e|rights?|permission)\b.{0,80}\b(?:not|never) (?:be )?(?:granted|extended|given|available"
        r"|apply) to\b",
        r"\b(?:names?|trademarks?|logos?|brand\w*|endors\w+|promot\w+|misrepresent\w*|liab\w+|warrant\w*|damages"
        r"|responsib\w+|notices?|except (?:in compliance|as|in|according|under|with|where|that)|according to"
        r"|without a (?:software )?licen[cs]e|advertising|publicity|attribut\w+"
        r"|not (?:required|restrict|limit|limited|affect|prevent)|licen[cs]e document|patents?|removed or altered"
        r"|no restrictions?|need|copyright line|credits?|restrictions? cannot)\b",
    ),
    (
        UNKNOWN,
        _GRANT,
        r"\b(?:sell|commercial|names?|(?:trade)?marks?|logos?)\b|\bany (?:purpose|use|way|manner)\b"
        r"|\bunder (?:either|any|one) of\b|\bwithout restriction|\bas an exception\b|\bcreative commons\b"
        r"|\bpublic licen[cs]es\b|\blicen[cs]e document\b|\byour contributions?\b|\bagree to the above\.?$"
        r"|\bnot grant\b.{0,40}\bpatents?\b",
    ),
]
_MARKS = re.compile(r"\b(?:trade ?marks?|logos?)\b")
_OF_THEM = re.compile(
    r"(?:you|they|these)\b(?!.{0,200}\b(?:software|code|files?|work|library|program)\b).{0,40}\b(?:them|they|these)\b"
)
_HOLDER = re.compile(
    r"(?:\bcopyright|\(c\)|©)[ ,©\d()c-]{0,40}"
    rf"(?:(?!(?:not|for|of|by|to)\b|{_USE})[\w&'-]{{1,40}},? ){{1,6}}?"
    r"(?:ai|inc|ltd|llc|gmbh|corp|co|limited|labs?)\b"
)
_COMPILED = [(name, re.compile(says), re.compile(unless)) for name, says, unless in _RULES]


def grants(text: str) -> bool:
    """Whether a text is, or has in it, a licence in its own words."""
    return re.search(_GRANT, plain(text)) is not None


def plain(text: str) -> str:
    """In lower case and on one line, without what comments and Markdown put around the words."""
    text = _APOSTROPHES.sub("'", _HYPHENS.sub("-", text.lower()))
    return _SPACE.sub(" ", _MARKUP.sub("", _MARGIN.sub("\n", text))).strip()


def restrictions(text: str) -> tuple[str, ...]:
    """References to what a text forbids, sorted; `UNKNOWN` where it is a licence that forbids nothing plainly."""
    found = {name for sentence in _sentences(text) for piece in _pieces(sentence) if (name := _of(piece))}
    named = found - {RESTRICTED, UNKNOWN}
    return tuple(sorted(named or found - {UNKNOWN} or found))


def _sentences(text: str) -> Iterator[str]:
    """Plain ones without their owner's name, and without "you may not use them" after one on trademarks."""
    before = ""
    for sentence in map(plain, _SENTENCE.split(text)):
        if not (_OF_THEM.match(sentence) and _MARKS.search(before)):
            yield _HOLDER.sub(" ", sentence)
        before = sentence


def _pieces(sentence: str) -> Iterator[str]:
    for start in range(0, max(1, len(sentence) - _OVERLAP), _LONGEST - _OVERLAP):
        yield sentence[start : start + _LONGEST]


def _of(sentence: str) -> str | None:
    for name, says, unless in _COMPILED:
        if says.search(sentence) and not unless.search(sentence):
            return name
    return None
