"""The ledger of steps that a run passes over, in `RUN/train/skips.json`. Needs no torch.

A decision, once taken, is written before the run goes on: a later resume, from whichever checkpoint, decides the same.
The samples of a skipped step count as taken from their source's stream, but no update is made of them.
"""

from __future__ import annotations

import json
from pathlib import Path

from snowcoder.config.section import Section
from snowcoder.errors import OperationError
from snowcoder.mixture.phase_plan import Plan
from snowcoder.storage.atomic import write_json


class Skip(Section):
    first: int
    last: int  # exclusive
    why: str
    phase: str  # digest: the decision holds as long as the plan of this phase does
    back_to: int | None = None  # the step of the checkpoint that the run went back to, if it did


class Skips:
    """All ranks hold the same ledger; rank 0 writes it."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        self.all: list[Skip] = []
        self._written: list[Skip] = []

    def add(self, skip: Skip) -> None:
        """Take up a decision, unless it is there already."""
        if skip not in self.all and self.plan.phase_at(skip.first).digest == skip.phase:
            self.all = sorted([*self.all, skip], key=lambda known: (known.first, known.last))

    def new(self, first: int, last: int, why: str, back_to: int | None = None) -> Skip:
        """A new decision, taken up."""
        skip = Skip(first=first, last=last, why=why, phase=self.plan.phase_at(first).digest, back_to=back_to)
        self.add(skip)
        return skip

    def at(self, step: int) -> Skip | None:
        """The decision that step `step` (0-based) falls under."""
        return next((skip for skip in self.all if skip.first <= step < skip.last), None)

    def read(self) -> None:
        """Take up what earlier processes of this run decided."""
        try:
            found = json.loads(self.path.read_text())
        except FileNotFoundError:
            return
        except ValueError as error:
            raise OperationError(
                f"{self.path} cannot be read ({error}). It says which steps this run passes over: restore it from a "
                "copy, or remove it to go by what the checkpoint knows"
            ) from None
        for item in found:
            self.add(Skip(**item))
        self._written = self.all

    def write_new(self) -> bool:
        """Write the ledger if there are decisions that it does not hold; returns whether there were."""
        if self.all == self._written:
            return False
        write_json(self.path, [skip.model_dump() for skip in self.all])
        self._written = self.all
        return True
