"""A conf/ of one's own adds presets to those that ship, or stands in their place if it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from snowcoder.config.compose import conf_dir, load_config, options
from snowcoder.config.explain import run as explain
from snowcoder.config.presets import meaning_of
from snowcoder.errors import UserError
from snowcoder.shipped import shipped
from snowcoder.synthesis.prompts import Prompt

RECIPE = "# @package _global_\n# A run of mine.\ndefaults: [demo, override /storage: disk]\nrun: {dir: runs/mine}\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space in its name, and in it a conf/ with a recipe; it is the current one."""
    folder = tmp_path / "my project"
    (folder / "conf" / "recipe").mkdir(parents=True)
    (folder / "conf" / "recipe" / "mine.yaml").write_text(RECIPE)
    monkeypatch.delenv("SNOWCODER_CONF", raising=False)
    monkeypatch.chdir(folder)
    return folder / "conf"


def test_a_recipe_of_ones_own_rests_on_those_that_ship(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(["recipe=mine"])
    assert (config.run.dir, config.storage.endpoint, config.model.layers) == ("runs/mine", None, 4)
    assert {"mine", "arctic", "demo"} <= {*options("recipe")}
    assert meaning_of("recipe", "mine") == "A run of mine."
    explain(["recipe=mine"], "run.dir")
    assert "set by:  conf/recipe/mine.yaml" in capsys.readouterr().out


def test_it_may_lie_elsewhere(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="recipe=mine: no such choice"):
        load_config(["recipe=mine"])
    monkeypatch.setenv("SNOWCODER_CONF", str(own))
    assert load_config(["recipe=mine"]).run.dir == "runs/mine"


def test_a_prompt_of_ones_own(own: Path) -> None:
    (own / "synthesis" / "prompts").mkdir(parents=True)
    (own / "synthesis" / "prompts" / "mine.jinja").write_text("{% block user %}Say {{ text }}.{% endblock %}")
    assert Prompt("mine").messages({"text": "hello"}) == [{"role": "user", "content": "Say hello."}]
    assert Prompt("code_file")
    with pytest.raises(UserError, match=r"one of code_file, .*mine"):
        Prompt("nothing")


def test_a_preset_that_ships_keeps_its_name(own: Path) -> None:
    """Else `recipe=demo` would be another one in another folder."""
    (own / "recipe" / "demo.yaml").write_text(RECIPE)
    with pytest.raises(UserError, match=r"rename .*my project/conf/recipe/demo\.yaml"):
        load_config([])


def test_a_whole_conf_stands_alone(own: Path) -> None:
    shutil.copytree(conf_dir(), own, dirs_exist_ok=True)
    (own / "recipe" / "demo.yaml").write_text(RECIPE.replace("demo, ", ""))
    assert conf_dir() == own
    assert load_config(["recipe=demo"]).run.dir == "runs/mine"


def test_a_conf_of_another_program_is_none_of_ours(own: Path) -> None:
    shutil.rmtree(own)
    (own / "nginx").mkdir(parents=True)
    assert conf_dir() == shipped("conf")
    assert "nginx" not in str(load_config([]))


def test_the_tokenizer_that_ships_is_found_from_anywhere_by_a_name_that_stays(own: Path) -> None:
    tokenizer = load_config(["tokenizer=snowcoder_64k"]).tokenizer
    assert tokenizer.dir == "tokenizer/snowcoder-64k"
    assert tokenizer.folder == shipped("tokenizer/snowcoder-64k")
    assert (tokenizer.folder / "tokenizer.json").is_file()
    Path(tokenizer.dir).mkdir(parents=True)
    assert tokenizer.folder == Path(tokenizer.dir)
    other = load_config(["tokenizer.dir=nowhere"]).tokenizer
    assert other.folder == Path("nowhere")
