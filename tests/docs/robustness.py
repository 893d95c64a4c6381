"""The tables of `docs/robustness.md`, whose rows tests prove."""

import re
from collections.abc import Iterable
from typing import Protocol

from tests.analysis.jpegs import test_routing
from tests.cases import Case, table
from tests.docs.blocks import DOCS
from tests.engines.classifiers import test_unusable
from tests.hostile import test_formats, test_images
from tests.offline import test_cli, test_folders, test_kinds
from tests.offline.video import cases, test_broken, test_damaged, test_time
from tests.service.http import (
    test_base64,
    test_compression,
    test_content_types,
    test_forms,
    test_options,
    test_proxies,
)

PAGE = DOCS / "robustness.md"
BLOCK = re.compile(r"(<!-- cases (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Sample(Protocol):
    """A file that a test makes, and its row."""

    @property
    def case(self) -> Case: ...


def _cases(*groups: Iterable[Sample]) -> list[Case]:
    return [sample.case for group in groups for sample in group]


TABLES: dict[str, Iterable[Case]] = {
    "formats": test_formats.FORMATS,
    "others": test_formats.OTHERS,
    "jpegs": test_routing.JPEGS,
    "bombs": test_images.BOMBS,
    "content_types": test_content_types.CONTENT_TYPES,
    "base64": test_base64.BASE64,
    "forms": test_forms.FORMS,
    "options": test_options.OPTIONS,
    "compressed": test_compression.COMPRESSED,
    "proxies": test_proxies.CASES,
    "folders": [
        *test_folders.FILES,
        *test_folders.BESIDE,
        *test_folders.NAMED,
        *test_cli.BESIDE_A_VIDEO.values(),
    ],
    "classifiers": [case for case, _ in test_unusable.UNUSABLE],
    "containers": [*test_kinds.CONTAINERS, *test_kinds.UNUSUAL],
    "damage": _cases(
        test_damaged.DAMAGED,
        test_broken.BROKEN,
        test_broken.UNREADABLE,
        test_broken.STATED_BY_NOBODY,
        test_broken.MIDDLE_OF_GROUP,
    ),
    "times": _cases(test_time.TIMES),
    "pictures": [*cases.PICTURE, *test_broken.SIZES.values()],
    "fields": cases.FIELDS,
}


def robustness_page() -> str:
    """Return the page with its tables as the tests have them."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{table(TABLES[m[2]])}\n\n{m[3]}", PAGE.read_text())
