"""Certificates of an authority that only one test run knows."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


class Authority:
    """Issues certificates into a directory."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self.pair = Pair(directory / f"{name}.pem", directory / f"{name}.key")
        self._openssl(
            *("req", "-x509", "-days", "2", "-subj", f"/CN={name}", "-out", str(self.pair.certificate)),
            *self._new_key(self.pair.key),
        )

    def issue(self, *names: str) -> Pair:
        """A certificate for DNS names, good for both ends of a connection."""
        pair = Pair(self._directory / f"{names[0]}.pem", self._directory / f"{names[0]}.key")
        alternatives = ",".join([f"DNS:{name}" for name in names] + ["IP:127.0.0.1"])
        self._openssl(
            *("req", "-x509", "-days", "2", "-subj", f"/CN={names[0]}", "-out", str(pair.certificate)),
            *("-CA", str(self.pair.certificate), "-CAkey", str(self.pair.key)),
            *("-addext", f"subjectAltName={alternatives}", "-addext", "basicConstraints=critical,CA:FALSE"),
            *("-addext", "extendedKeyUsage=serverAuth,clientAuth"),
            *self._new_key(pair.key),
        )
        return pair

    @staticmethod
    def _new_key(path: Path) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path))

    @staticmethod
    def _openssl(*arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
