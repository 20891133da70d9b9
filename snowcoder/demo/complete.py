"""Run by the demo as a script: loads an exported folder with transformers, with nothing of ours importable."""

import sys
from typing import Any

PROMPT = "def read_lines(path):\n    "


class NothingOfOurs:
    """An import hook that refuses what an exported folder must not need."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in ("snowcoder", "megatron"):
            raise ImportError(f"{name} must not be needed here")


def main() -> None:
    sys.meta_path.insert(0, NothingOfOurs())
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer(PROMPT, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=48, do_sample=False, repetition_penalty=1.3)
    print(f"{type(model).__name__}, {model.num_parameters():,} parameters. Given the first line, it writes:")
    text = str(tokenizer.decode(output[0], skip_special_tokens=True))
    print("\n".join("  | " + line for line in text.splitlines()))


if __name__ == "__main__":
    main()
