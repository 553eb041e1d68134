"""Certificates for tests over TLS: an authority, a server and a client, made by openssl and good for two days."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from OsteoScreenLib.errors import OsteoScreenError


def make_certificates(folder: Path) -> None:
    """A certificate authority (ca.crt), and by it a server's (server.crt, .key, .pem for 127.0.0.1 and localhost) and a client's."""
    if shutil.which("openssl") is None:
        raise OsteoScreenError("openssl, which makes the certificates, is not installed.")
    _openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=OsteoScreen test authority",
        "-keyout", "ca.key", "-out", "ca.crt",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    for name, names in (("server", "IP:127.0.0.1,DNS:localhost"), ("client", "DNS:client")):
        request = ("-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        _openssl(folder, "req", *request)
        extensions = (
            f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        (folder / "names").write_text(extensions, encoding="utf-8")
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
    (folder / "server.pem").write_bytes((folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes())


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
