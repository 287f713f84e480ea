"""The examples for operators are what cron, systemd and Kubernetes read."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from pipelines.jobs.file import Kinds
from pipelines.jobs.firing import cron_line

OPERATIONS = Path(__file__).parents[1] / "docs" / "operations"
EXAMPLES = OPERATIONS / "examples"


def says_run(command: str) -> bool:
    return re.search(r"\bforecaster run \S+retrain\.yaml --as-of \"\$\(date -u \+\S*F\)\"", command) is not None


@pytest.fixture
def systemd() -> str:
    """The command of systemd; a test that asks for it runs only where it is."""
    return "systemd-analyze"


def test_systemd_reads_its_units(systemd: str, tmp_path: Path) -> None:
    for unit in ("retrain.service", "retrain.timer"):  # the command of the example is not on this machine
        (tmp_path / unit).write_text((EXAMPLES / unit).read_text())
    verified = subprocess.run(
        [systemd, "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stderr


def test_the_units_run_the_job_and_leave_what_has_to_be_mended() -> None:
    told = dict(re.findall(r"^(\w+)=(.*)$", (EXAMPLES / "retrain.service").read_text(), flags=re.MULTILINE))
    assert says_run(shlex.split(told["ExecStart"])[-1].replace("%%", "%"))
    assert told["RestartPreventExitStatus"].split() == ["2", "130"]
    assert "OnCalendar=" in (EXAMPLES / "retrain.timer").read_text()


def test_the_line_for_cron_runs_the_job() -> None:
    (line,) = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if re.match(r"[\d*]", line)]
    *fields, command = line.split(maxsplit=5)
    assert cron_line(" ".join(fields))
    assert says_run(command.replace(r"\%", "%"))


def test_the_cron_job_of_kubernetes_runs_the_job() -> None:
    told = yaml.safe_load((EXAMPLES / "cronjob.yaml").read_text())
    assert (told["apiVersion"], told["kind"]) == ("batch/v1", "CronJob")
    assert cron_line(told["spec"]["schedule"])
    job = told["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert says_run(container["command"][-1])
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [2]}


def test_the_job_in_the_docs_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (OPERATIONS / "retraining.md").read_text(), flags=re.DOTALL)
    job = TypeAdapter[Kinds](Kinds).validate_python(yaml.safe_load(text))
    assert job.schedule is not None
    assert job.schedule.retries == 3
