"""Rules of a config that span several keys. Each rule yields sentences; none stops at the first."""

from __future__ import annotations

from collections.abc import Iterator

from snowcoder.config.schema import Config, PhaseConfig


def cross_check(config: Config) -> list[str]:
    """Every violated rule as one sentence with key, value and what is allowed."""
    run = (_model, _parallel, _precision, _run, _logging)
    data = (_columns, _part, _corpus, _annotator, _synthesis, _evaluation, _repair)
    problems = [problem for rule in (*run, *data) for problem in rule(config)]
    for name, phase in config.phases.items():
        problems += _phase(config, f"phases.{name}", phase)
    return problems


def _divides(key: str, value: int, what: str, total: int) -> Iterator[str]:
    if total % value:
        raise_to = ", ".join(str(n) for n in range(1, min(total, 1024) + 1) if total % n == 0)
        yield f"{key}={value}: must divide {what}={total}; allowed: {raise_to}"


def _model(config: Config) -> Iterator[str]:
    model = config.model
    yield from _divides("model.heads", model.heads, "model.hidden", model.hidden)
    if model.hidden % model.heads == 0 and model.hidden // model.heads % 2:
        size = model.hidden // model.heads
        yield f"model.heads={model.heads}: each is {size} wide (model.hidden); rotary positions need an even width"
    yield from _divides("model.kv_heads", model.kv_heads, "model.heads", model.heads)
    if model.vocab_size != config.tokenizer.vocab_size:
        yield (f"model.vocab_size={model.vocab_size}: must equal tokenizer.vocab_size={config.tokenizer.vocab_size}")


def _parallel(config: Config) -> Iterator[str]:
    model, parallel = config.model, config.parallel
    tensor, pipeline = parallel.tensor, parallel.pipeline
    padded = -(-model.vocab_size // model.pad_vocab_to) * model.pad_vocab_to
    for what, total in {
        "model.heads": model.heads,
        "model.kv_heads": model.kv_heads,
        "model.ffn": model.ffn,
        "the padded vocabulary (model.pad_vocab_to)": padded,
    }.items():
        yield from _divides("parallel.tensor", tensor, what, total)
    yield from _divides("parallel.pipeline", pipeline, "model.layers", model.layers)
    if model.layers % pipeline == 0:
        chunk = model.layers // pipeline
        yield from _divides("parallel.virtual_stages", parallel.virtual_stages, "layers a stage", chunk)
    if parallel.virtual_stages > 1 and pipeline == 1:
        yield "parallel.virtual_stages: needs parallel.pipeline above 1; allowed here: 1"
    if parallel.sequence and tensor == 1:
        yield "parallel.sequence=True: sequence parallelism splits over tensor ranks; needs parallel.tensor above 1"
    if parallel.overlap and not parallel.distributed_optimizer:
        yield "parallel.overlap=True: needs parallel.distributed_optimizer=true"
    if parallel.context > 1 and config.packing.document_mask:
        yield "parallel.context: document masks are not split over context ranks; set packing.document_mask=false"


def _precision(config: Config) -> Iterator[str]:
    if config.precision.fp8 != "none" and config.precision.dtype != "bf16":
        yield f"precision.fp8={config.precision.fp8}: needs precision.dtype=bf16"
    yield from _fp8_sizes(config)


def _fp8_sizes(config: Config) -> Iterator[str]:
    """Matrix products in fp8 take no other sizes; a tensor rank has its part of each."""
    fp8, model = config.precision.fp8, config.model
    unit = (32 if fp8 == "mxfp8" else 16) * config.parallel.tensor
    for name, value in {"hidden": model.hidden, "ffn": model.ffn}.items():
        if fp8 != "none" and value % unit:
            yield f"model.{name}={value}: with precision.fp8={fp8} it must be a multiple of {unit}"


def _run(config: Config) -> Iterator[str]:
    known = list(config.phases)
    for name in config.run.phases:
        if name not in known:
            yield f"run.phases: {name!r} is not a phase of this recipe; allowed: {', '.join(known)}"
    positions = [known.index(name) for name in config.run.phases if name in known]
    if positions and positions != list(range(positions[0], positions[0] + len(positions))):
        yield f"run.phases={config.run.phases}: must be neighbours in the order {', '.join(known)}"


def _columns(config: Config) -> Iterator[str]:
    fields: dict[str, list[str]] = {}
    for field, name in config.index.columns.model_dump().items():
        fields.setdefault(name, []).append(field)
    for name, alike in fields.items():
        if len(alike) > 1:
            yield f"index.columns: {' and '.join(alike)} are the same column, {name!r}; each needs one of its own"


def _logging(config: Config) -> Iterator[str]:
    steps = config.logging.profile_steps
    if steps and steps[0] > steps[1]:
        yield f"logging.profile_steps={list(steps)}: from the first to the last"


def _part(config: Config) -> Iterator[str]:
    number, count = map(int, config.index.part.split("/"))
    if number > count:
        yield f"index.part={config.index.part}: allowed are 1/{count} to {count}/{count}"


def _annotator(config: Config) -> Iterator[str]:
    annotator = config.annotator
    if annotator.head == "classification" and annotator.negatives is None:
        yield "annotator.negatives: classification needs files of the corpus to tell good ones from"
    if annotator.head == "regression" and annotator.negatives is not None:
        yield "annotator.negatives: a regression learns from labels; set it to null"
    if not annotator.positives:
        yield "annotator.positives: is empty; name shards of files to learn from"
    places = {f"positives.{name}": source for name, source in annotator.positives.items()}
    for name, source in (places | {"negatives": annotator.negatives}).items():
        if source and (source.scores is None) != (source.at_least is None):
            yield f"annotator.{name}: scores and at_least go together"


def _synthesis(config: Config) -> Iterator[str]:
    synthesis, seeds = config.synthesis, config.synthesis.seeds
    if seeds.cut in ("lines", "function") and seeds.source is None:
        yield f"synthesis.seeds.source: seeds.cut={seeds.cut} cuts files; name a source of index.sources"
    if seeds.lines[0] > seeds.lines[1]:
        yield f"synthesis.seeds.lines={list(seeds.lines)}: from the least to the most"
    if not synthesis.steps:
        yield "synthesis.steps: is empty; a recipe has at least one"
    if any(step.shots for step in synthesis.steps.values()) and not synthesis.examples:
        yield "synthesis.examples: a step shows examples (shots); name a file of conf/synthesis/examples"
    if synthesis.execute and synthesis.chat is None:
        yield "synthesis.execute: only conversations have tests"
    if synthesis.chat is None and not (synthesis.python and synthesis.other):
        yield "synthesis.python, synthesis.other: a recipe of files needs places for shards"


def _evaluation(config: Config) -> Iterator[str]:
    evaluation, generation = config.evaluation, config.evaluation.generation
    if generation.backend == "server" and generation.server is None:
        yield "evaluation.generation.server: name the server's address, such as http://localhost:8000/v1"
    if generation.backend == "server" and (evaluation.bits.source or evaluation.bits.solutions):
        yield "evaluation.bits: bits per byte need generation.backend=transformers; set source to null, solutions to []"
    if generation.backend == "server" and config.guidance.is_on:
        yield "guidance: a server writes by itself; set generation.backend=transformers, or guidance=off"
    if evaluation.baseline and evaluation.baseline not in evaluation.models:
        known = ", ".join(evaluation.models) or "there are none"
        yield f"evaluation.baseline={evaluation.baseline}: not a name in evaluation.models; allowed: {known}"
    if generation.samples > 1 and generation.temperature == 0:
        yield f"evaluation.generation.samples={generation.samples}: greedy samples are alike; set a temperature"
    if too_many := [k for k in evaluation.pass_at if k > generation.samples]:
        yield f"evaluation.pass_at={too_many}: at most evaluation.generation.samples={generation.samples}"


def _repair(config: Config) -> Iterator[str]:
    repair, generation = config.repair, config.repair.generation
    if generation.backend != "transformers":
        yield f"repair.generation.backend={generation.backend}: written on this machine; allowed: transformers"
    if generation.new_tokens is None:
        yield "repair.generation.new_tokens: no benchmark says how long a patch is; Repilot has 50"
    if generation.samples > 1 and generation.temperature == 0:
        yield f"repair.generation.samples={generation.samples}: greedy samples are alike; set a temperature"
    if not repair.templates:
        yield "repair.templates: is empty; allowed: hunk, line_start, line_end"
    if repair.benchmark == "defects4j" and repair.language != "java":
        yield f"repair.language={repair.language}: Defects4J's bugs are in java"
    if config.guidance.names != "none" and repair.benchmark == "defects4j" and repair.checkouts is None:
        yield "guidance.names: of a method alone an engine knows nothing; set repair.checkouts, or guidance=off"


def _phase(config: Config, key: str, phase: PhaseConfig) -> Iterator[str]:
    model, parallel = config.model, config.parallel
    if phase.sequence_length > model.sequence_length:
        yield (f"{key}.sequence_length={phase.sequence_length}: at most model.sequence_length={model.sequence_length}")
    split = parallel.tensor * (2 * parallel.context if parallel.context > 1 else 1)
    if (parallel.sequence or parallel.context > 1) and phase.sequence_length % split:
        yield f"{key}.sequence_length={phase.sequence_length}: must be a multiple of {split}, over which it is split"
    yield from _batch(config, key, phase)
    yield from _sources(config, key, phase)
    steps = round(phase.tokens / (phase.global_batch * phase.sequence_length))
    if steps < 1:
        step = phase.global_batch * phase.sequence_length
        yield f"{key}.tokens={phase.tokens:g}: less than one step of {step} tokens"
    elif phase.learning_rate.warmup_steps >= steps:
        yield (
            f"{key}.learning_rate.warmup_steps={phase.learning_rate.warmup_steps}: "
            f"must be below the phase's {steps} steps"
        )


def _batch(config: Config, key: str, phase: PhaseConfig) -> Iterator[str]:
    parallel = config.parallel
    unit = parallel.micro_batch * parallel.data
    if phase.global_batch % unit:
        yield (
            f"{key}.global_batch={phase.global_batch}: must be a multiple of "
            f"parallel.micro_batch x parallel.data = {unit}"
        )
    elif parallel.virtual_stages > 1 and phase.global_batch // unit % parallel.pipeline:
        yield (
            f"{key}.global_batch={phase.global_batch}: gives {phase.global_batch // unit} micro batches; "
            f"virtual stages need a multiple of parallel.pipeline={parallel.pipeline}"
        )


def _sources(config: Config, key: str, phase: PhaseConfig) -> Iterator[str]:
    known = ", ".join(config.index.sources)
    for name in phase.sources:
        if name not in config.index.sources:
            yield f"{key}.sources.{name}: not a source of index.sources; allowed: {known}"
    total = sum(source.share for source in phase.sources.values())
    if abs(total - 1.0) > 1e-6:
        shares = ", ".join(f"{name} {source.share:g}" for name, source in phase.sources.items())
        yield f"{key}.sources: the shares add up to {total:g} ({shares}); they must add up to 1"


def _corpus(config: Config) -> Iterator[str]:
    corpus, near = config.corpus, config.corpus.near
    if corpus.input.rstrip("/") == corpus.output.rstrip("/"):
        yield f"corpus.output={corpus.output}: is corpus.input; clean documents need a place of their own"
    if config.grouping.max_mib > config.index.max_document_mib:
        yield (
            f"grouping.max_mib={config.grouping.max_mib:g}: the index drops documents of more than "
            f"index.max_document_mib={config.index.max_document_mib:g}"
        )
    if near.bands * near.rows > near.permutations:
        yield (
            f"corpus.near: bands={near.bands} of rows={near.rows} take {near.bands * near.rows} permutations, "
            f"there are {near.permutations}"
        )
