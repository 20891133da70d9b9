"""`snowcoder finetune`: an exported model learns to answer instructions, by TRL's supervised fine-tuning.

A loss is taken on responses alone, as Magicoder and StarCoder2-Instruct have it. The tokenizer gets their format as its
chat template, so that whoever loads the model asks it as it was taught. One process, on one GPU or the CPU.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from snowcoder.config.finetune_schema import FinetuneConfig
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.pretrained.digest import model_digest
from snowcoder.stages.stage import Stage
from snowcoder.storage.digest import digest_file


def run(config: Config) -> None:
    """Raises UserError where there is no model, or no conversation to learn from."""
    finetune, folder = config.finetune, Path(config.finetune.dir)
    rows = read_conversations(finetune.chat)
    inputs = {"model": model_digest(Path(finetune.model)) if Path(finetune.model).is_dir() else finetune.model}
    inputs |= {path: digest_file(Path(path)) for path in finetune.chat}
    decided_by = {**finetune.model_dump(exclude={"dir", "model", "chat", "micro_batch"}), "seed": config.run.seed}
    stage = Stage("finetune", folder, inputs, decided_by)
    if stage.is_done("fine-tuned model"):
        return
    trainer = make_trainer(finetune, rows, config.run.seed)  # first: what cannot be loaded costs no finished model
    with stage.making():
        trainer.train()
        _save(trainer, stage, len(rows) - len(trainer.train_dataset))


def read_conversations(paths: list[str]) -> list[dict[str, Any]]:
    """In TRL's format of prompt and completion: what the loss is taken on is the completion."""
    rows = []
    for path in paths:
        try:
            with Path(path).open(encoding="utf-8") as file:  # splitlines() would also split at U+2028
                conversations = [_turns(json.loads(line)["messages"]) for line in file]
        except FileNotFoundError:
            raise UserError(f"finetune.chat: {path} is not there; `snowcoder synthesize` writes it") from None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"finetune.chat: {path} has lines that are no conversations") from None
        rows += [{"prompt": turns[:-1], "completion": turns[-1:]} for turns in conversations]
    if not rows:
        raise UserError("finetune.chat: names no conversations")
    return rows


def _turns(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise ValueError("nothing is asked, or it is not the assistant who has the last word")
    return messages


def make_trainer(finetune: FinetuneConfig, rows: list[dict[str, Any]], seed: int) -> Any:
    """Its `train_dataset` has the conversations that fit. Raises UserError where none does."""
    import torch  # late, all of them: a model that is up to date does not wait for them
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from snowcoder.pretrained.load import load_part, load_whole

    try:
        model = load_whole(AutoModelForCausalLM, finetune.model, dtype=torch.float32)
        tokenizer = load_part(lambda: AutoTokenizer.from_pretrained(finetune.model), finetune.model)
    except UserError as error:
        raise UserError(f"finetune.model: {error}") from None
    tokenizer.chat_template = chat_template(finetune)
    gpus = torch.cuda.is_available()
    settings = SFTConfig(
        output_dir=f"{finetune.dir}/checkpoints",
        num_train_epochs=finetune.epochs,
        per_device_train_batch_size=finetune.micro_batch,
        gradient_accumulation_steps=_accumulation(finetune),
        max_length=None,  # else TRL cuts answers off, whose end is then never learned
        completion_only_loss=True,
        learning_rate=finetune.learning_rate,
        warmup_steps=finetune.warmup,
        lr_scheduler_type="linear",
        optim="adafactor",
        max_grad_norm=0.0,  # no clipping: theirs is -1
        bf16=gpus,
        use_cpu=not gpus,
        gradient_checkpointing=gpus,
        seed=seed,
        save_strategy="no",
        logging_steps=10,
        report_to="none",
    )
    trainer = SFTTrainer(model=model, args=settings, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.train_dataset = _fitting(trainer.train_dataset, finetune, model.config.max_position_embeddings)
    return trainer


def _fitting(conversations: Any, finetune: FinetuneConfig, context: int) -> Any:
    """Those that have room, with the end of the answer; `context` in tokens."""
    lengths = [len(ids) for ids in conversations["input_ids"]]
    longest = min(finetune.tokens, context)
    if min(lengths) > longest:
        raise UserError(
            f"finetune.chat: none of the {len(lengths):,} conversations fits: the shortest has {min(lengths):,} "
            f"tokens, finetune.tokens={finetune.tokens}, and the model's context is {context:,}"
        )
    return conversations.select([number for number, length in enumerate(lengths) if length <= longest])


def chat_template(finetune: FinetuneConfig) -> str:
    """The format of both papers: a system sentence, then instruction and response, each under its title."""
    titles = {"user": finetune.instruction, "assistant": finetune.response}
    turn = "{{ titles[message.role] + '\\n' + message.content }}"
    return (
        f"{{% set titles = {json.dumps(titles)} %}}{{{{ {json.dumps(finetune.system)} + '\\n\\n' }}}}"
        "{% for message in messages if message.role != 'system' %}"
        + turn
        + "{{ eos_token if message.role == 'assistant' else '\\n\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ titles.assistant + '\\n' }}{% endif %}"
    )


def _accumulation(finetune: FinetuneConfig) -> int:
    if finetune.batch % finetune.micro_batch:
        raise UserError(
            f"finetune.batch={finetune.batch}: must be a multiple of finetune.micro_batch={finetune.micro_batch}"
        )
    return finetune.batch // finetune.micro_batch


def _save(trainer: Any, stage: Stage, too_long: int) -> None:
    """The model as transformers loads it."""
    folder = stage.folder
    trainer.save_model(str(folder))
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody needs
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    trained, steps = len(trainer.train_dataset), trainer.state.global_step
    counts = {"conversations": trained, "too_long": too_long, "steps": steps, "losses": losses}
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    stage.vouch(counts, names)
    left_out = f" ({too_long:,} were too long)" if too_long else ""
    print(f"fine-tuned model: {folder}, {trained:,} conversations{left_out}, {steps:,} steps")
