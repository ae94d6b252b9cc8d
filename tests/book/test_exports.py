"""What the book answers with can be imported from the package, for annotations and ``isinstance``."""

import inspect

import onebook
from onebook.domain import reports


def test_every_record_of_an_answer_is_importable_from_the_package() -> None:
    records = {
        name
        for name, kind in vars(reports).items()
        if inspect.isclass(kind) and kind.__module__ == reports.__name__ and not name.startswith("_")
    }
    assert {"Break", "OrderState", "Position", "Verification"} <= records
    assert records <= set(onebook.__all__)
    assert all(getattr(onebook, name) is getattr(reports, name) for name in records)
