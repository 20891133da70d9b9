"""`snowcoder annotate train`: a linear head on a BERT-style encoder learns what good code is (Wei et al., 2024, 2.3).

The recipe is FineWeb-Edu's (Penedo et al., 2024), which the paper names; see `docs/annotation.md`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from snowcoder.annotation.annotator import MODEL, SETTINGS, Settings
from snowcoder.annotation.calibration import calibrate
from snowcoder.annotation.encoder import encoder_place, load_encoder
from snowcoder.annotation.examples import EXAMPLES, Examples, draw_examples, find_examples, write_examples
from snowcoder.annotation.fit import fit
from snowcoder.annotation.metrics import score_metrics
from snowcoder.annotation.scores import identities, read_scores
from snowcoder.config.annotation_schema import ExamplesConfig
from snowcoder.config.schema import Config
from snowcoder.corpus.decontamination import Matcher
from snowcoder.errors import UserError
from snowcoder.lineage.vouched_shards import find_promised_shards
from snowcoder.pretrained.load import folder_problems, quiet
from snowcoder.stages.stage import Stage, working_in
from snowcoder.storage.atomic import publish_folder
from snowcoder.storage.digest import digest_file, digest_json
from snowcoder.storage.store import open_store

_TRAINER = "trainer"  # the epochs of a training that has not ended


def run(config: Config) -> None:
    """Raises UserError where shards or the encoder are missing, or the examples too few."""
    stage = Stage("annotate train", Path(config.annotator.dir), _inputs(config), _decided_by(config))
    if stage.is_done("annotator"):
        return
    folder, made_from = stage.folder, digest_json([stage.inputs, stage.decided_by])
    with working_in(folder):
        left = find_examples(folder / EXAMPLES, made_from)
        examples = left or draw_examples(config)
        encoder = load_encoder(config.annotator.encoder, config.run.seed)
        stage.withdraw()  # not before: examples may be too few, and the encoder another than is said
        if left is None:
            write_examples(examples, folder / EXAMPLES, made_from)
        settings = _train(config, examples, encoder, folder, made_from)
        names = [EXAMPLES, SETTINGS, *sorted(f"{MODEL}/{path.name}" for path in (folder / MODEL).iterdir())]
        counts = {"examples": examples.counts, "dropped": examples.dropped, "metrics": settings.metrics}
        stage.vouch(counts, names)
        shutil.rmtree(folder / _TRAINER, ignore_errors=True)
    _print_summary(config, examples, settings)


def _train(config: Config, examples: Examples, encoder: tuple[Any, Any], folder: Path, made_from: str) -> Settings:
    annotator, trainer = config.annotator, folder / _TRAINER / made_from
    tokenizer, model = encoder
    _remove_others(trainer)
    outputs = fit(annotator, config.run.seed, tokenizer, model, examples, trainer)
    labels = examples.labels[examples.held_out]
    calibration = calibrate(outputs, labels, annotator.head)
    settings = Settings(
        head=annotator.head,
        tokens=annotator.encoder.tokens,
        section_characters=annotator.sections.characters,
        calibration=calibration,
        metrics=score_metrics(calibration.scores(outputs, annotator.head), labels, annotator.head),
    )
    partial = folder / f".{MODEL}"
    shutil.rmtree(partial, ignore_errors=True)
    with quiet():
        model.cpu().save_pretrained(partial)
        tokenizer.save_pretrained(partial)
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    publish_folder(partial, folder / MODEL)
    settings.write(folder)
    return settings


def _remove_others(trainer: Path) -> None:
    """Epochs that were trained on other examples or in another way."""
    for path in trainer.parent.glob("*"):
        if path != trainer:
            shutil.rmtree(path)


def _inputs(config: Config) -> dict[str, Any]:
    """Digests of all that is learned from. Raises UserError with every place that has no shards."""
    sources: dict[str, ExamplesConfig] = dict(config.annotator.positives)
    if config.annotator.negatives:
        sources["negatives"] = config.annotator.negatives
    found, problems = {}, []
    for name, source in sources.items():
        try:
            store = open_store(source.shards, config.storage)
            found[name] = digest_json(identities(find_promised_shards(store)))
            if source.scores:
                found[f"{name}.scores"] = read_scores(Path(source.scores), store).digest
        except UserError as error:
            problems.append(f"  annotator.{'' if name == 'negatives' else 'positives.'}{name}: {error}")
    if problems:
        raise UserError("the annotator has nothing to learn from:\n" + "\n".join(problems))
    encoder = Path(encoder_place(config.annotator.encoder.name))
    if damaged := folder_problems(encoder):
        raise UserError(f"annotator.encoder.name: {encoder}: {'; '.join(damaged)}")
    if encoder.is_dir():
        found["encoder"] = digest_json([digest_file(path) for path in sorted(encoder.glob("*.safetensors"))])
    return found


def _decided_by(config: Config) -> dict[str, Any]:
    """What of the config decides the weights."""
    annotator = config.annotator
    return {
        "seed": config.run.seed,
        "benchmarks": Matcher.build(config.decontamination).digest,
        "columns": config.index.columns.model_dump(),
        **annotator.model_dump(include={"encoder", "sections", "head", "positives", "label", "negatives", "train"}),
    }


def _print_summary(config: Config, examples: Examples, settings: Settings) -> None:
    counts = ", ".join(f"{name} {count:,}" for name, count in examples.counts.items())
    dropped = ", ".join(f"{name} {count:,}" for name, count in examples.dropped.items() if count) or "nothing"
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in settings.metrics.items())
    print(f"annotator: {counts}; dropped: {dropped}")
    print(f"annotator: of {examples.held_out.sum():,} held-out files: {metrics}")
    print(f"annotator: {config.annotator.dir}")
