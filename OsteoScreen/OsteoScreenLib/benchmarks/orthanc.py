"""A real Orthanc with its DICOMweb plugin, started and stopped by tests and benchmarks, with storage of its own and free ports.

HTTP answers callers of this machine alone (RemoteAccessAllowed off); the DICOM port cannot be bound to loopback in Orthanc, so
nothing but simulated and public images belongs here. Needs Debian's packages orthanc and orthanc-dicomweb.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from OsteoScreenLib.benchmarks.certificates import make_certificates
from OsteoScreenLib.benchmarks.tls_relay import TlsRelay
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.pacs.connection import Connection

AET = "ORTHANC"
MISSING = (
    "Orthanc or its DICOMweb plugin is not installed; on Debian or Ubuntu run 'sudo apt-get install orthanc orthanc-dicomweb'."
)
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/local/share/orthanc/plugins", "/usr/lib/orthanc")


def program() -> str | None:
    """The installed Orthanc, None without one."""
    return shutil.which("Orthanc") or next((path for path in ("/usr/sbin/Orthanc",) if os.access(path, os.X_OK)), None)


def dicomweb_plugin() -> Path | None:
    """The installed DICOMweb plugin, None without one."""
    found = (path for folder in _PLUGIN_FOLDERS for path in sorted(Path(folder).glob("libOrthancDicomWeb.so*")))
    return next(found, None)


def installed() -> bool:
    """Whether tests with Orthanc can run here."""
    return program() is not None and dicomweb_plugin() is not None


def free_port() -> int:
    """A port on loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Orthanc:
    """One server; `with Orthanc(folder) as server:` runs it, `stop`, `kill` and `start` again keep storage, ports and certificates.

    Parameters
    ----------
    folder : its own; made if it is not there.
    users : name → password for basic authentication over HTTP; none without.
    tls : HTTPS (by a relay, see `tls_relay`) and DICOM over TLS, with a certificate authority made for this folder.
    client_certificate : with `tls`, callers have to show a certificate of that authority (`client_certificate`, `client_key`).
    destinations : AE title → port on this machine, for C-MOVE.
    settings : further entries of Orthanc's configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        tls: bool = False,
        client_certificate: bool = False,
        destinations: Mapping[str, int] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if not installed():
            raise OsteoScreenError(MISSING)
        self.folder = folder
        self.users, self.tls = dict(users or {}), tls
        self.http_port, self.dicom_port = free_port(), free_port()
        self._inner_port = free_port() if tls else self.http_port
        self._relay: TlsRelay | None = None
        self._certificate_required = client_certificate
        self._destinations, self._settings = dict(destinations or {}), dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.client_certificate, self.client_key = (folder / name for name in ("ca.crt", "client.crt", "client.key"))
        if tls and not self.ca.exists():
            make_certificates(folder)

    def __enter__(self) -> Orthanc:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def root(self) -> str:
        """Address of Orthanc's own REST interface, without TLS."""
        return f"http://127.0.0.1:{self._inner_port}"

    @property
    def url(self) -> str:
        """Address of the DICOMweb service."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.http_port}/dicom-web"

    @property
    def process_id(self) -> int | None:
        """The running server's, None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def dicomweb(self, **changes: Any) -> Connection:
        """A connection by DICOMweb; with `users` its secret is the first user's password, to be given when it is opened."""
        known: dict[str, Any] = {"name": "bench", "kind": "dicomweb", "url": self.url, **self._certificates()}
        if self.users:
            known |= {"auth": "basic", "user": next(iter(self.users)), "secret": "ask"}
        return Connection(**{**known, **changes})

    def dimse(self, **changes: Any) -> Connection:
        """A connection by DIMSE."""
        known: dict[str, Any] = {
            "name": "bench",
            "kind": "dimse",
            "host": "127.0.0.1",
            "port": self.dicom_port,
            "called_aet": AET,
        }
        return Connection(**{**known, "tls": self.tls, **self._certificates(), **changes})

    def _certificates(self) -> dict[str, str]:
        if not self.tls:
            return {}
        return {"ca": str(self.ca), "certificate": str(self.client_certificate), "key": str(self.client_key)}

    def start(self) -> Orthanc:
        """Start it and wait until it answers."""
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(), indent=2), encoding="utf-8")
        with open(self.folder / "orthanc.log", "ab") as log:
            executable = program()
            assert executable is not None
            self._process = subprocess.Popen([executable, str(configuration)], stdout=log, stderr=log, cwd=self.folder)
        if self.tls:
            ca = self.ca if self._certificate_required else None
            self._relay = TlsRelay(self.http_port, self._inner_port, self.folder / "server.pem", ca)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process_id is not None:
            try:
                self.rest("/system")
                return self
            except OSError:
                time.sleep(0.05)
        self.kill()
        raise OsteoScreenError(f"Orthanc did not start; its log is {self.folder / 'orthanc.log'}.")

    def stop(self) -> None:
        """End it as a service manager does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> Orthanc:
        """Stop, then start on the same storage and ports."""
        self.stop()
        return self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "orthanc.log").read_text(encoding="utf-8", errors="replace")

    def rest(self, path: str, data: bytes | None = None, method: str | None = None) -> Any:
        """Ask Orthanc's own interface, beside what is tested: "/instances", "/studies/ID", … → the answer's JSON, else bytes."""
        request = urllib.request.Request(self.root + path, data=data, method=method)
        for name, password in list(self.users.items())[:1]:
            word = base64.b64encode(f"{name}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {word}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            body = answer.read()
        try:
            return json.loads(body)
        except ValueError:
            return body

    def upload(self, path: Path) -> str:
        """Put a DICOM file into the storage by Orthanc's own interface; returns Orthanc's id of the instance."""
        return str(self.rest("/instances", path.read_bytes())["ID"])

    def instances(self) -> list[dict[str, str]]:
        """All that is stored: SOPInstanceUID, SOPClassUID, Modality, SeriesInstanceUID, StudyInstanceUID, PatientID of each."""
        tags = ("SOPInstanceUID", "SOPClassUID", "Modality", "SeriesInstanceUID", "StudyInstanceUID", "PatientID")
        listed = []
        for one in self.rest("/instances"):
            simple = self.rest(f"/instances/{one}/simplified-tags")
            listed.append({tag: str(simple.get(tag, "")) for tag in tags} | {"ID": one})
        return listed

    def clear(self) -> None:
        """Delete everything stored."""
        for patient in self.rest("/patients"):
            self.rest(f"/patients/{patient}", method="DELETE")

    def _configuration(self) -> dict[str, Any]:
        storage = str(self.folder / "storage")
        configuration: dict[str, Any] = {
            "Name": "bench", "StorageDirectory": storage, "IndexDirectory": storage,
            "Plugins": [str(dicomweb_plugin())], "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
            "HttpPort": self._inner_port, "RemoteAccessAllowed": False, "AuthenticationEnabled": bool(self.users),
            "RegisteredUsers": self.users, "WebDavEnabled": False, "OrthancExplorerEnabled": False,
            "DicomAet": AET, "DicomPort": self.dicom_port, "DicomScpTimeout": 30, "SaveJobs": False,
            "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowStore": True, "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True,
            "DicomModalities": {
                aet.lower(): {"AET": aet, "Host": "127.0.0.1", "Port": port, "UseDicomTls": self.tls}
                for aet, port in self._destinations.items()
            },
        }  # fmt: skip
        if self.tls:
            configuration |= {
                "DicomTlsEnabled": True, "DicomTlsCertificate": str(self.folder / "server.crt"),
                "DicomTlsPrivateKey": str(self.folder / "server.key"), "DicomTlsTrustedCertificates": str(self.ca),
                "DicomTlsRemoteCertificateRequired": self._certificate_required,
            }  # fmt: skip
        return configuration | self._settings
