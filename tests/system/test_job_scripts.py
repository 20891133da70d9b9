"""The scripts of slurm/ as bash runs them, with stand-ins for sbatch and snowcoder that print their arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINT = '#!/bin/bash\n{ printf "<%s>" "${0##*/}" "$@"; echo; }'
PHASE1 = "<snowcoder><train><launch=slurm><phase=phase1>"


class Project:
    """A folder with a space in its name, and the job scripts in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder / "my project", folder / "programs"
        shutil.copytree(ROOT / "slurm", self.folder / "slurm")
        self.programs.mkdir()

    def stand_in(self, path: Path, text: str = PRINT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *words: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), **variables}
        command = ["bash", *words]
        return subprocess.run(
            command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def submitted(project: Project) -> Project:
    """With a stand-in for sbatch, which numbers jobs as Slurm does and tells its arguments on standard error."""
    count = project.programs / "count"
    text = f'{PRINT} >&2\necho x >> {count}; echo "$((40 + $(wc -l < {count})));cluster"\n'
    project.stand_in(project.programs / "sbatch", text)
    return project


@pytest.mark.parametrize(
    ("given", "options", "overrides"),
    [
        (["storage.root=s3://a/b"], [], ["storage.root=s3://a/b"]),
        (["-A", "acct", "-p", "gpu", "storage.root=/a"], ["-A", "acct", "-p", "gpu"], ["storage.root=/a"]),
        (["-Aacct", "-N2", "storage.root=/a"], ["-Aacct", "-N2"], ["storage.root=/a"]),
        (["--nodes=2", "--partition", "gpu", "run.dir=x"], ["--nodes=2", "--partition", "gpu"], ["run.dir=x"]),
        (["run.dir=x", "-p", "gpu", "precision=fp8"], ["-p", "gpu"], ["run.dir=x", "precision=fp8"]),
        # A value may look like an override, and an override may follow an option that takes no value.
        (["--comment", "run.dir=y", "run.dir=x"], ["--comment", "run.dir=y"], ["run.dir=x"]),
        (["--export", "ALL,A=1", "-H", "run.dir=x"], ["--export", "ALL,A=1", "-H"], ["run.dir=x"]),
        (["--exclusive", "run.dir=x", "--no-requeue"], ["--exclusive", "--no-requeue"], ["run.dir=x"]),
        (["--exclusive=user", "-J", "a name", "~fim"], ["--exclusive=user", "-J", "a name"], ["~fim"]),
        (["-p", "gpu", "--", "-odd=1", "+new.key=a b"], ["-p", "gpu"], ["-odd=1", "+new.key=a b"]),
    ],
)
def test_options_keep_their_values(
    submitted: Project, given: list[str], options: list[str], overrides: list[str]
) -> None:
    done = submitted.run("slurm/pipeline.sh", *given)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "phase1: job 41\nphase2: job 42\nphase3: job 43\n"
    for number, line in enumerate(done.stderr.splitlines(), 1):
        after = [f"--dependency=afterok:{39 + number}"] if number > 1 else []
        words = ["sbatch", "--parsable", "--kill-on-invalid-dep=yes", *options, *after, f"slurm/phase{number}.sh"]
        assert line == "".join(f"<{word}>" for word in [*words, *overrides])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["-A", "acct", "gpu"], "gpu is neither an option of sbatch, nor its value, nor key=value"),
        (["run.dir=x", "-p"], "-p has no value"),
    ],
)
def test_words_that_fit_nowhere_are_refused_before_a_job_is_submitted(
    submitted: Project, given: list[str], message: str
) -> None:
    done = submitted.run("slurm/pipeline.sh", *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"slurm/pipeline.sh: {message}\n"


def test_the_chain_stays_one_with_a_dependency_of_the_users_own(submitted: Project) -> None:
    """Of two dependencies sbatch takes the last."""
    first, second, _ = submitted.run("slurm/pipeline.sh", "-d", "afterok:7").stderr.splitlines()
    assert first.endswith("<-d><afterok:7><slurm/phase1.sh>")
    assert second.endswith("<-d><afterok:7><--dependency=afterok:41><slurm/phase2.sh>")


def test_outside_the_project_the_last_line_says_where_to_call_sbatch(project: Project, tmp_path: Path) -> None:
    for script in ("phase1.sh", "corpus.sh", "score.sh", "index.sh", "evaluate.sh", "serve_vllm.sh"):
        done = project.run(str(project.folder / "slurm" / script), cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr == (
            f"snowcoder: {tmp_path} is not the folder of the project; sbatch there, or with --chdir=FOLDER\n"
        )


def test_an_evaluation_finds_the_environment_of_its_training(project: Project, tmp_path: Path) -> None:
    """Its script may be the one that ships, in a folder without any."""
    for program in ("snowcoder", "python"):
        project.stand_in(project.programs / program)
    script = project.folder / "slurm" / "evaluate.sh"
    done = project.run(str(script), "a", "10", cwd=tmp_path, SNOWCODER_SLURM=str(script.parent))
    assert done.stdout == "<python><-m><snowcoder.evaluation.job><a><10>\n"


def test_without_an_environment_the_last_line_says_how_to_get_one(project: Project) -> None:
    for variables in ({}, {"SNOWCODER_VENV": "elsewhere"}):
        done = project.run("slurm/phase1.sh", **variables)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        venv = variables.get("SNOWCODER_VENV", ".venv")
        assert f"has no {project.folder}/{venv}/bin/snowcoder: name an environment that has snowcoder" in line
        assert "SNOWCODER_VENV=... in slurm/environment.sh" in line


def test_the_projects_environment_comes_before_the_active_one(project: Project) -> None:
    """The active one is conda's, or a module's: its programs are on the path."""
    project.stand_in(project.programs / "snowcoder")
    assert project.run("slurm/phase1.sh", "a=b c").stdout == f"{PHASE1}<a=b c>\n"
    own = '#!/bin/sh\necho "of the project"\n'
    project.stand_in(project.folder / ".venv" / "bin" / "snowcoder", own)
    assert project.run("slurm/phase1.sh").stdout == "of the project\n"
    project.stand_in(project.folder / "other" / "bin" / "snowcoder", own.replace("project", "variable"))
    assert project.run("slurm/phase1.sh", SNOWCODER_VENV="other").stdout == "of the variable\n"


def test_a_sites_environment_may_read_variables_that_are_not_set(project: Project) -> None:
    """As `module load` and `conda activate` do."""
    project.stand_in(project.programs / "snowcoder")
    script = project.folder / "slurm" / "environment.sh"
    text = script.read_text().replace("# module load", 'echo "modules: [$LOADEDMODULES]" # ', 1)
    script.write_text(text)
    done = project.run("slurm/phase1.sh")
    assert done.stdout == f"modules: []\n{PHASE1}\n"


@pytest.mark.parametrize(
    ("cpus", "nodes", "tasks", "each"),
    [
        (None, "96(x16)", "8(x16)", 12),
        (None, "72", "4", 18),
        (None, "96(x15),64", "8(x16)", 8),  # the smallest node's
        (None, "128,96(x2)", "1(x3)", 96),
        ("5", "96(x16)", "8(x16)", 5),  # as sbatch was asked for
        (None, None, None, 1),  # outside Slurm
    ],
)
def test_cores_are_those_that_the_nodes_have(
    project: Project, cpus: str | None, nodes: str | None, tasks: str | None, each: int
) -> None:
    project.stand_in(project.programs / "snowcoder", "#!/bin/sh\nenv\n")
    given = {"SLURM_CPUS_PER_TASK": cpus, "SLURM_JOB_CPUS_PER_NODE": nodes, "SLURM_TASKS_PER_NODE": tasks}
    left_by_a_shell = {"MASTER_ADDR": "old", "SLURM_EXPORT_ENV": "NONE"}
    variables = {name: value for name, value in given.items() if value} | left_by_a_shell
    seen = project.run("slurm/phase1.sh", **variables).stdout.splitlines()
    expected = {f"SRUN_CPUS_PER_TASK={each}", f"SLURM_CPUS_PER_TASK={each}", "SLURM_EXPORT_ENV=ALL"}
    assert expected <= set(seen)
    assert "MASTER_ADDR=old" not in seen


def test_no_script_that_takes_whole_nodes_says_how_many_cores_they_have() -> None:
    for script in (ROOT / "slurm").glob("*.sh"):
        text = script.read_text()
        assert ("--exclusive" in text) != ("#SBATCH --cpus-per-task" in text) or "#SBATCH" not in text
