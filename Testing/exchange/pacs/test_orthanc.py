"""A real Orthanc: sent, found, fetched and found again by every way there is, plain and over TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from orthanc import Orthanc, free_port, needs_orthanc, orthanc
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless
from small_dicom import as_file, radiograph

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.client import open_client
from OsteoScreenLib.exchange.pacs.connection import Connection, changed
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.fetching import fetch
from OsteoScreenLib.exchange.pacs.outgoing import look
from OsteoScreenLib.exchange.pacs.query import ANY, FoundImage, FoundSeries, Query
from OsteoScreenLib.exchange.pacs.sending import send
from OsteoScreenLib.files import resource_folder

pytestmark = needs_orthanc
SAMPLES = resource_folder("SampleData")
NORMAL = "SIMULATED_CHEST_NORMAL"
PASSWORD = "pässword"


@dataclass(frozen=True)
class Bench:
    """The server, and its connections by name of the way."""

    server: Orthanc
    ways: dict[str, Connection]


@pytest.fixture(scope="module", params=["plain", "TLS"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    port = free_port()
    folder = tmp_path_factory.mktemp("orthanc")
    tls = request.param == "TLS"
    with orthanc(
        folder, users={"reader": PASSWORD}, tls=tls, client_certificate=tls, destinations={"OSTEOSCREEN": port}
    ) as server:
        moving = server.dimse(retrieve="move", listen=f"127.0.0.1:{port}")
        yield Bench(server, {"dicomweb": server.dicomweb(), "get": server.dimse(), "move": moving})


@pytest.mark.parametrize("way", ["dicomweb", "get", "move"])
def test_what_is_sent_is_found_and_comes_back_bit_for_bit(bench: Bench, way: str, tmp_path: Path) -> None:
    """The shipped samples, and every real radiograph where they are: encodings, odd headers, odd lengths."""
    bench.server.clear()
    real = Path(__file__).resolve().parents[4] / "shared" / "data" / "radiographs"
    items, _ = look([SAMPLES, real] if real.is_dir() and not bench.server.tls else [SAMPLES])
    with open_client(bench.ways[way], PASSWORD) as client:
        assert client.test().startswith("bench answers")
        assert {one.status for one in send(client, items)} == {"stored"}
        assert {one.status for one in send(client, items)} == {"already"}
        listing = client.find_series(Query(modalities=ANY))
        images = [image for series in listing.series for image in client.find_images(series)]
        assert {(one.study_uid, one.series_uid, one.uid, one.sop_class) for one in images} == {
            (item.study_uid, item.series_uid, item.uid, item.sop_class) for item in items
        }
        assert {one.status for one in fetch(client, images, tmp_path)} == {"fetched"}
        assert {one.status for one in fetch(client, images, tmp_path)} == {"already"}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{item.uid}.dcm" for item in items)
    for item in items:
        came, was = pydicom.dcmread(tmp_path / f"{item.uid}.dcm"), pydicom.dcmread(item.path)
        assert came.file_meta.TransferSyntaxUID == was.file_meta.TransferSyntaxUID
        came_pixels, was_pixels = came.get_item("PixelData").value, was.get_item("PixelData").value
        assert came_pixels == was_pixels + bytes(len(was_pixels) % 2), item.path.name
        lost = {element.tag for element in was} - {element.tag for element in came}
        assert {int(tag) for tag in lost if tag.element} <= {0xFFFCFFFC}, "nothing but lengths of groups and padding"


@pytest.mark.parametrize("way", ["dicomweb", "get"])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless])
def test_every_encoding_is_kept(bench: Bench, way: str, syntax: UID, tmp_path: Path) -> None:
    bench.server.clear()
    dataset = radiograph()
    if syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    (tmp_path / "sent.dcm").write_bytes(as_file(dataset))
    (item,), _ = look([tmp_path / "sent.dcm"])
    with open_client(bench.ways[way], PASSWORD) as client:
        client.store(item)
        client.retrieve(FoundImage(item.study_uid, item.series_uid, item.uid, item.sop_class), tmp_path / "came.dcm")
    came = pydicom.dcmread(tmp_path / "came.dcm")
    assert came.file_meta.TransferSyntaxUID == syntax and (came.pixel_array == radiograph().pixel_array).all()


@pytest.mark.parametrize("way", ["dicomweb", "get"])
def test_queries_find_what_they_name_and_nothing_else(bench: Bench, way: str, tmp_path: Path) -> None:
    bench.server.clear()
    for path in SAMPLES.glob("*.dcm"):
        bench.server.upload(path)
    with open_client(bench.ways[way], PASSWORD) as client:
        (one,) = client.find_series(Query(patient_id=NORMAL)).series
        assert one.patient_id == NORMAL and one.modality == "DX" and one.images == 1
        assert client.find_series(Query(study_uid=one.study_uid, series_uid=one.series_uid)).series == (one,)
        assert client.find_series(Query(patient_name="*", modalities=("DX",), patient_id="SIM*")).series
        for path in SAMPLES.glob("*normal.dcm"):
            named = pydicom.dcmread(path)
            named.PatientName, named.PatientID, named.AccessionNumber = "Doe^Jane Ann", "A 1/2", "X*1"
            named.save_as(tmp_path / "named.dcm")
            bench.server.clear()
            bench.server.upload(tmp_path / "named.dcm")
        for query in (
            {"patient_name": "DOE^JANE ANN"},
            {"patient_name": "Doe^J*"},
            {"patient_id": "A 1/2"},
            {"accession": "X*"},
        ):
            assert len(client.find_series(Query(**query)).series) == 1, query
        for nothing in (
            Query(patient_name="Doe^Jame*"),
            Query(patient_id="A-1/2"),
            Query(patient_id="NOBODY"),
            Query(patient_id=NORMAL, modalities=("CR",)),
            Query(study_uid="1.2.3.4"),
        ):
            assert client.find_series(nothing).series == ()
        with pytest.raises(PacsRefused):
            client.retrieve(
                FoundImage(one.study_uid, one.series_uid, "1.2.3.4", "1.2.840.10008.5.1.4.1.1.1.1"), Path("unwritten")
            )
    assert not Path("unwritten").exists()


@pytest.mark.parametrize("way", ["dicomweb", "get", "move"])
def test_an_object_beyond_the_limit_is_not_taken(bench: Bench, way: str, tmp_path: Path) -> None:
    bench.server.clear()
    for path in SAMPLES.glob("*.dcm"):
        bench.server.upload(path)
    with open_client(changed(bench.ways[way], retries=0), PASSWORD) as client:
        listing = client.find_series(Query(modalities=ANY))
        images = [image for series in listing.series for image in client.find_images(series)]
        limit = sum(path.stat().st_size for path in SAMPLES.glob("*.dcm")) // 2  # between the two
        done = {one.status: one for one in fetch(client, images, tmp_path, largest=limit)}
        assert set(done) == {"fetched", "refused"} and done["refused"].code == "too-large"
        assert [path.name for path in tmp_path.iterdir()] == [f"{done['fetched'].image.uid}.dcm"]
        assert {one.status for one in fetch(client, images, tmp_path)} == {"fetched", "already"}, "the connection still serves"


def test_a_wrong_password_is_said(bench: Bench) -> None:
    with open_client(bench.ways["dicomweb"], "wrong") as client, pytest.raises(NotAllowed, match=r"not accepted \(HTTP 401"):
        client.test()


def test_a_server_that_is_gone_or_elsewhere_is_said(bench: Bench) -> None:
    gone = changed(bench.ways["get"], port=free_port(), retries=0)
    with open_client(gone) as client, pytest.raises(PacsUnreachable, match="is it running"):
        client.test()
    if bench.server.tls:
        plain = changed(bench.ways["get"], tls=False, ca="", certificate="", key="", retries=0, timeout_s=5)
        with open_client(plain) as client, pytest.raises(PacsUnreachable, match="whether it wants TLS"):
            client.test()
    else:
        encrypted = changed(bench.ways["get"], tls=True, retries=0, timeout_s=5)
        with open_client(encrypted) as client, pytest.raises((PacsUnreachable, NotAllowed)):
            client.test()


@pytest.mark.parametrize("way", ["dicomweb", "get"])
def test_certificates_are_checked_both_ways(bench: Bench, way: str) -> None:
    if not bench.server.tls:
        pytest.skip("without TLS there are none")
    untrusting = changed(bench.ways[way], ca="", retries=0)
    with open_client(untrusting, PASSWORD) as client, pytest.raises(NotAllowed, match="not trusted"):
        client.test()
    unknown = changed(bench.ways[way], certificate="", key="", retries=0)
    with open_client(unknown, PASSWORD) as client, pytest.raises((NotAllowed, PacsUnreachable), match="certificate"):
        client.test()


@pytest.mark.parametrize("way", ["dicomweb", "get"])
def test_a_key_that_cannot_be_used_is_said_without_a_question(bench: Bench, way: str, tmp_path: Path) -> None:
    if not bench.server.tls:
        pytest.skip("without TLS there is none")
    broken, locked = tmp_path / "broken.key", tmp_path / "locked.key"
    broken.write_text("no key")
    lock = ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in", str(bench.server.client_key), "-out", str(locked)]
    subprocess.run(lock, check=True, capture_output=True)
    for key in (broken, locked, tmp_path / "missing.key"):
        with (
            pytest.raises(InputError, match=r"certificate"),
            open_client(changed(bench.ways[way], key=str(key)), PASSWORD) as client,
        ):
            client.test()


def test_a_pacs_that_does_not_know_our_port_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.server.clear()
    bench.server.upload(SAMPLES / "simulated_chest_normal.dcm")
    unknown = changed(bench.ways["move"], calling_aet="STRANGER", listen=f"127.0.0.1:{free_port()}", retries=0)
    with open_client(unknown) as client:
        (series,) = client.find_series(Query(patient_id=NORMAL)).series
        (image,) = client.find_images(series)
        (done,) = fetch(client, [image], tmp_path)
    assert done.status == "refused" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["dicomweb", "get"])
def test_a_server_that_starts_again_in_between_is_reached_again(way: str, tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        connection = server.dicomweb() if way == "dicomweb" else server.dimse()
        items, _ = look([SAMPLES])
        with open_client(changed(connection, retries=0)) as client:
            assert [one.status for one in send(client, items[:1])] == ["stored"]
            server.kill()
            assert [one.status for one in send(client, items)] == ["unreachable"] * len(items)
            server.start()
            assert [one.status for one in send(client, items)] == ["already"] + ["stored"] * (len(items) - 1)
            assert client.find_images(FoundSeries(items[0].study_uid, items[0].series_uid, "DX"))[0].uid == items[0].uid
