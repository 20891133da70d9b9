"""docs/configuration.md is what the schema and conf/ say."""

from pathlib import Path

from snowcoder.config.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    made = page()
    assert "| `optimizer.lr` | a number above 0 | `0.00053` | Peak learning rate" in made
    assert "| `phases.NAME.tokens` |" in made
    assert PAGE.read_text() == made, "python -m snowcoder.config.reference > docs/configuration.md"
