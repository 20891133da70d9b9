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


def test_what_does_not_fit_is_left_out_and_counted_and_every_answer_ends(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRL would cut two of them in the answer, and drop the third without a word."""
    chat, length = Path(config.finetune.chat[0]), conversation_length(config)
    asks = [QUESTION, QUESTION, "Please. " * length, QUESTION]
    answers = [ANSWER, ANSWER + "\n# more" * length, ANSWER, f"{ANSWER} #"]
    turns = [
        [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
        for ask, answer in zip(asks, answers, strict=True)
    ]
    chat.write_text("".join(json.dumps({"messages": each}) + "\n" for each in turns))
    finetune = config.finetune.model_copy(update={"tokens": length, "epochs": 1})
    trainer = make_trainer(finetune, read_conversations(finetune.chat), seed=1)
    (only,) = trainer.train_dataset
    assert only["input_ids"][-1] == only["labels"][-1] == trainer.processing_class.eos_token_id
    run(config.model_copy(update={"finetune": finetune}))
    manifest = find_manifest(Path(finetune.dir))
    assert manifest
    assert (manifest.counts["conversations"], manifest.counts["too_long"], manifest.counts["steps"]) == (1, 3, 1)
    assert "1 conversations (3 were too long), 1 steps" in capsys.readouterr().out


def conversation_length(config: Config) -> int:
    trainer = make_trainer(config.finetune, read_conversations(config.finetune.chat), seed=1)
    return len(trainer.train_dataset[0]["input_ids"])


@pytest.mark.parametrize("short", ["finetune.tokens", "the model's context"])
def test_where_nothing_fits_the_finished_model_stays(config: Config, short: str) -> None:
    run(config.model_copy(update={"finetune": config.finetune.model_copy(update={"epochs": 1})}))
    manifest, length = find_manifest(Path(config.finetune.dir)), conversation_length(config)
    if short == "finetune.tokens":
        config = config.model_copy(update={"finetune": config.finetune.model_copy(update={"tokens": length - 1})})
    else:
        place = Path(config.finetune.model) / "config.json"
        place.write_text(json.dumps({**json.loads(place.read_text()), "max_position_embeddings": length - 1}))
    with pytest.raises(UserError, match=rf"none of the 16 conversations fits: the shortest has {length} tokens"):
        run(config)
    assert manifest
    assert find_manifest(Path(config.finetune.dir)) == manifest


@pytest.mark.parametrize("roles", [["user"], ["assistant"], ["user", "assistant", "user"]])
def test_a_conversation_ends_with_an_answer(config: Config, roles: list[str]) -> None:
    messages = [{"role": role, "content": "x"} for role in roles]
    Path(config.finetune.chat[0]).write_text(json.dumps({"messages": messages}) + "\n")
    with pytest.raises(UserError, match="lines that are no conversations"):
        read_conversations(config.finetune.chat)


def test_no_conversations(config: Config) -> None:
    with pytest.raises(UserError, match="snowcoder synthesize"):
        read_conversations(["/nowhere/chat.jsonl"])
