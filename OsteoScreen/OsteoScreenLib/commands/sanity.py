"""`osteoscreen sanity`: do a model's heatmaps say anything about the model?"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.commands import failures
from OsteoScreenLib.errors import InputError

# Called with (share of the whole run done, words).
Show = Callable[[float, str], None]


def run(
    images: Sequence[Path],
    out: Path,
    *,
    model: str,
    device: str,
    methods: Sequence[str],
    draws: int,
    curves: dict[str, Any],
    random_labels: str | None,
    image_check: bool,
    as_json: bool,
) -> int:
    """Check every image, show how far it is, write the tables and say where they lie. Returns the exit code.

    curves : of `CurveRequest`. Images that cannot be read are left out and named; then the exit code is 2.
    Raises `OsteoScreenError` in one sentence for what is wrong with models, options or disk.
    """
    from OsteoScreenLib.exchange.sanity_page import write_sanity_page
    from OsteoScreenLib.explain.curves import CurveRequest
    from OsteoScreenLib.explain.sanity_checks import SanityRequest, check_image, chosen_methods
    from OsteoScreenLib.study.label_randomised import LabelComparison, check_pair, compare_labels
    from OsteoScreenLib.study.sanity_table import SanityTable, facts_of, sentences, write_sanity
    from OsteoScreenLib.worker.models import Models
    from OsteoScreenLib.worker.requests import prepare_folder

    request = SanityRequest(tuple(methods), draws, CurveRequest(**curves))
    models = Models()
    for one in (model, *([random_labels] if random_labels else [])):
        models.check(one)
    prepare_folder(out)
    with _shown(not as_json) as show:
        show(0.0, "Loading the model")
        # Heatmaps are computed in full precision, so the probabilities are, too.
        classifier = models.classifier(model, device, "fp32")
        randomised = Models().classifier(random_labels, device, "fp32") if random_labels else None
        wanted = chosen_methods(classifier, request)
        if randomised is not None:
            check_pair(classifier, randomised)
        read = []
        left_out: list[str] = []
        for path in images:
            try:
                read.append((path.name, _pixels(path, models if image_check else None, model)))
            except InputError as error:
                left_out.append(str(error) if str(error).startswith(path.name) else f"{path.name}: {error}")
        if not read:
            raise InputError(f"No image could be checked; the first reason is: {left_out[0]}", code="no-images")
        found = []
        for number, (name, pixels) in enumerate(read):

            def within(share: float, words: str, number: int = number, name: str = name) -> None:
                show((number + share) / len(read), f"{name}: {words}")

            found.append((name, check_image(classifier, pixels, request, progress=within)))
        labels: tuple[LabelComparison, ...] = ()
        if randomised is not None:
            show(1.0, "Comparing with the model trained on shuffled labels")
            labels = compare_labels(classifier, randomised, [pixels for _, pixels in read], request.curves.target, wanted)
    table = SanityTable(facts_of(classifier, request, randomised), tuple(found), tuple(left_out), labels)
    files = {**write_sanity(out, table), "html": write_sanity_page(out, table)}
    if as_json:
        named = {kind: str(path) for kind, path in files.items()}
        print(json.dumps({"osteoscreen": __version__, "images": len(found), "left_out": left_out, "files": named}))
    else:
        for sentence in sentences(table):
            print(sentence)
        for sentence in left_out:
            print(f"Left out: {sentence}", file=sys.stderr)
        print(f"The tables and curves: {files['html']}, and for programs {files['json']}")
        print(" ".join(table.facts["statements"]), file=sys.stderr)
    return failures.WRONG_INPUT if left_out else failures.DONE


def _pixels(path: Path, models: Any, model: str) -> Any:
    """An upright radiograph's pixels; models : whose gate for the model's site is asked, None to take the image as it is."""
    from OsteoScreenLib.bones.gate import lay_upright
    from OsteoScreenLib.radiograph.read import read_radiograph
    from OsteoScreenLib.worker.model_folders import site_of

    radiograph = read_radiograph(path)
    if models is not None:
        site = site_of(model)
        radiograph = lay_upright(radiograph, models.gate(site), site)
    return radiograph.pixels


@contextlib.contextmanager
def _shown(wanted: bool) -> Iterator[Show]:
    """A bar on stderr; nothing where none is wanted."""
    if not wanted:
        yield lambda _share, _words: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("Starting", total=1.0)
        yield lambda share, words: progress.update(task, completed=share, description=words)
