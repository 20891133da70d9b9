"""`snowcoder finetune` on a small Llama: the loss is the response's alone, it falls, and the model can be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.finetuning.finetune import make_trainer, read_conversations, run
from snowcoder.lineage.manifest import find_manifest
from snowcoder.tokenization.load import load_tokenizer

QUESTION, ANSWER = "Write a function that doubles.", "def double(x):\n    return 2 * x"


@pytest.fixture
def config(tmp_path: Path, tiny_tokenizer: Path) -> Config:
    trained = load_tokenizer(tiny_tokenizer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained.backend, eos_token="<|endoftext|>", pad_token="<|fim_pad|>"
    )
    torch.manual_seed(0)
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    size |= {"vocab_size": trained.vocab_size, "max_position_embeddings": 512}
    model = LlamaForCausalLM(LlamaConfig(**size, eos_token_id=trained.end_of_text))
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    (tmp_path / "chat.jsonl").write_text((json.dumps({"messages": turns}) + "\n") * 16)
    return load_config(
        [
            f"finetune.dir={tmp_path}/tuned",
            f"finetune.model={tmp_path}/model",
            f"finetune.chat=[{tmp_path}/chat.jsonl]",
            *("finetune.batch=4", "finetune.micro_batch=2", "finetune.epochs=12", "finetune.learning_rate=1e-2"),
        ]
    )


def test_the_loss_is_taken_on_the_response_and_its_end_alone(config: Config) -> None:
    trainer = make_trainer(config.finetune, read_conversations(config.finetune.chat), seed=1)
    batch = next(iter(trainer.get_train_dataloader()))
    tokenizer = trainer.processing_class
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learned = labels != -100
        assert tokenizer.decode(ids[learned]) == f"{ANSWER}<|endoftext|>"
        assert torch.equal(ids[learned], labels[learned])
        asked = tokenizer.decode(ids[~learned])
        assert asked.startswith(config.finetune.system)
        assert asked.replace("<|fim_pad|>", "").endswith(f"@@ Instruction\n{QUESTION}\n\n@@ Response\n")


def test_it_learns_and_answers_as_it_was_taught(config: Config) -> None:
    run(config)
    folder = Path(config.finetune.dir)
    manifest = find_manifest(folder)
    assert manifest
    losses = manifest.counts["losses"]
    assert losses[-1] < losses[0] / 2
    assert not list(folder.rglob("*.bin"))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    question = [{"role": "user", "content": QUESTION}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = model.generate(**ids, max_new_tokens=40, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert tokenizer.decode(answer, skip_special_tokens=True) == ANSWER
    written = (folder / "model.safetensors").stat().st_mtime_ns
    run(config)
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    (Path(config.finetune.model) / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(UserError, match=r"finetune\.model: .*model\.safetensors is cut short"):
        run(config)
    assert find_manifest(folder) == manifest  # the finished model stays


def test_no_conversations(config: Config) -> None:
    with pytest.raises(UserError, match="snowcoder synthesize"):
        read_conversations(["/nowhere/chat.jsonl"])
