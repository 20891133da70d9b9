"""The model card of an export: what the model is, what it was trained on, and the digests that lead back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from snowcoder.config.schema import Config, ModelConfig
from snowcoder.lineage.manifest import code_version, find_manifest
from snowcoder.model.size import parameters

_CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
tags: [code, snowcoder]
---
# {{ name }}

A Llama-architecture language model of code with {{ "{:,}".format(count) }} parameters: {{ model.layers }} layers, hidden size
{{ model.hidden }}, feed-forward {{ model.ffn }}, {{ model.heads }} heads ({{ model.kv_heads }} key-value), vocabulary
{{ "{:,}".format(model.vocab_size) }}, sequence length {{ model.sequence_length }}. Pretrained with snowcoder {{ code.version }}
{%- if code.commit %} ({{ code.commit }}){% endif %}.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{{ name }}")
model = AutoModelForCausalLM.from_pretrained("{{ name }}")
```

It is a base model: it continues code, and follows no instructions. Its output was checked neither for correctness
nor for licences.

## Training
{% if ledger %}
| phase | source | tokens |
| --- | --- | ---: |
{% for phase, sources in ledger.items() %}{% for source, tokens in sources.items() -%}
| {{ phase }} | {{ source }} | {{ "{:,}".format(tokens) }} |
{% endfor %}{% endfor %}{% else %}
Imported weights, not trained further.
{% endif %}
Step {{ record.step }}, precision {{ record.precision.dtype }}.

## Lineage
| what | digest (xxh3-128) |
| --- | --- |
{% for what, digest in lineage.items() -%}
| {{ what }} | `{{ digest }}` |
{% endfor %}
The manifest of each index names the digests of its raw shards.

## Parity
fp32 logits of this folder under transformers agree with the trained parallel model within
{{ "%.1e"|format(parity.largest_difference) }} on {{ parity.prompts }} prompts of up to {{ model.sequence_length }} tokens.
"""


def model_card(config: Config, record: dict[str, Any], inputs: dict[str, Any], parity: dict[str, Any]) -> str:
    model = ModelConfig(**record["model"])
    lineage = {what: digest for what, digest in inputs.items() if digest}
    for source in record["cursors"]:
        manifest = find_manifest(Path(config.index.dir) / source)
        if manifest is not None:
            lineage[f"index of {source}"] = manifest.digest
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(_CARD)
    return template.render(
        name=Path(config.export.dir).resolve().name,
        model=model,
        count=parameters(model).total,
        code=code_version(),
        ledger=record["ledger"],
        record=record,
        lineage=lineage,
        parity=parity,
    )
