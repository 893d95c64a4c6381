"""An option without effect is an error that names it and the nearest right one."""

import base64
import json

import numpy as np
import pytest

from tests.cases import Case
from tests.photographs import encode
from tests.server import Server
from tests.service.http.rows import PHOTO, URL, Row, check

TEXT = base64.b64encode(PHOTO).decode()
INVALID = "400 `invalid_request`"
NAMED, READ = "an error that names it", "read; 1 face"
FORM = {"content-type": "multipart/form-data; boundary=b"}


def query(name: str, text: str, *named: str) -> Row:
    return Row(_case(f"`?{text}`{name}", named), PHOTO, query=text)


def headers(name: str, value: str, *named: str) -> Row:
    return Row(_case(f"the header `{name}: {value}`", named), PHOTO, {name: value})


def in_json(name: str, body: object, *named: str) -> Row:
    return Row(_case(name, named), json.dumps(body).encode())


def twice(name: str, text: str) -> Row:
    named = name.split("`")[1]
    return Row(_case(name, (named, "twice")), text.replace("IMAGE", f'"data": "{TEXT}"').encode())


def in_form(field: str, value: str, *named: str) -> Row:
    content = (
        b'--b\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n%b\r\n'
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n--b--\r\n'
    ) % (PHOTO, field.encode(), value.encode())
    return Row(_case(f"`-F {field}={value}` beside a file", named), content, FORM)


def _case(name: str, named: tuple[str, ...]) -> Case:
    if not named:
        return Case(name, "valid", READ)
    return Case(name, NAMED, f"{INVALID}, names {', '.join(f'`{each}`' for each in named)}")


IMAGES = [{"data": TEXT}]
LARGE = encode(np.zeros((3000, 4000, 3), np.uint8), "PNG")
TOO_SMALL = Case(
    "`?min_face=12` for an image of 4000 x 3000 pixels",
    "an error that names the fix",
    "422 `min_face_too_small`, names `min_face=12`, `or more, or min_face=auto`",
)
ROWS = [
    query("", "embedding=true", "embedding:", "did you mean embeddings?"),
    query("", "minscore=0.9", "minscore:", "did you mean min_score?"),
    query("", "min-score=0.9", "min-score:", "did you mean min_score?"),
    query("", "Min_Score=0.9", "Min_Score:", "did you mean min_score?"),
    query("", "maxFaces=1", "maxFaces:", "did you mean max_faces?"),
    query("", "label=happy", "label:", "did you mean labels?"),
    query("", "threshold=0.9", "threshold:", "known are min_score, max_faces, min_face,"),
    query("", "minFace=40", "minFace:", "did you mean min_face?"),
    query("", "quality=0.5", "quality:", "did you mean min_quality?"),
    query("", "rotation=auto", "rotation:", "did you mean orientation?"),
    query("", "deadline_ms=100", "deadline_ms:", "X-Request-Deadline-Ms"),
    query("", "X-Request-Deadline-Ms=100", "send it as a header, X-Request-Deadline-Ms"),
    query(", twice", "labels=sad&labels=happy", "labels:", "once"),
    query(", without a value", "embeddings", "embeddings:", "give true or false, not ''"),
    query("", "embeddings=maybe", "embeddings:", "give true or false, not 'maybe'"),
    query("", "embeddings=true&"),
    query("", "&"),
    *(query("", f"embeddings={value}") for value in ("false", "False", "0", "no", "off")),
    query("", "min_score=0,9", "min_score:", "a number from 0 to 1, such as 0.9, not '0,9'"),
    query("", "min_score=50", "min_score:", "a number from 0 to 1"),
    query("", "max_faces=0", "max_faces:", "a whole number from 1 to 1000"),
    query("", "max_faces=1.5", "max_faces:", "a whole number from 1 to 1000"),
    *(query("", f"min_face={value}") for value in ("auto", "fast", "40", "12", "10000")),
    *(query("", f"min_face={value}", "min_face:", "auto, fast, or a whole number of pixels from 12")
      for value in ("11", "10001", "40px", "4.5", "Fast", "")),
    Row(TOO_SMALL, LARGE, query="min_face=12"),
    *(query("", f"orientation={value}") for value in ("exif", "auto")),
    *(query("", f"orientation={value}", "orientation:", "exif or auto") for value in ("90", "")),
    *(query("", f"min_quality={value}") for value in ("0", "0.05")),
    *(query("", f"min_quality={value}", "min_quality:", "a number from 0 to 1, such as 0.5")
      for value in ("50", "nan", "high")),
    query("", "labels=Happy", "labels:", "Happy: unknown label; did you mean happy?"),
    query("", "labels=anger", "labels:", "did you mean angry?"),
    query("", "labels=joy", "labels:", "known are angry, disgust, fear, happy"),
    query("", "labels=sad,sad", "labels:", "sad is given twice"),
    query("", "labels=", "labels:", "a name is empty"),
    query("", "labels=happy,,sad", "labels:", "a name is empty"),
    query("", "min_score=nan", "a number from 0 to 1, such as 0.9, not 'nan'"),
    in_form("embeddings", "true", "embeddings:", "send it as a query parameter, ?embeddings="),
    in_form("minScore", "0.9", "minScore:", "?min_score="),
    in_form("min_face", "40", "min_face:", "?min_face="),
    in_form("MAX_FILE_SIZE", "9", "MAX_FILE_SIZE:", "known are images"),
    in_form("csrf_token", "x", "csrf_token:", "known are images"),
    in_json("`embeddings` beside `images` in JSON", {"embeddings": True, "images": IMAGES},
            "embeddings:", "?embeddings="),
    in_json("`max_faces` in an image of JSON", {"images": [{"data": TEXT, "max_faces": 1}]},
            "max_faces:", "?max_faces="),
    in_json("`image` instead of `images`", {"image": IMAGES}, "image:", "did you mean images?"),
    in_json("`imgs` instead of `images`", {"imgs": IMAGES}, "imgs:", "did you mean images?"),
    in_json("`Data` instead of `data`", {"images": [{"Data": TEXT}]}, "did you mean data?"),
    in_json("`name` instead of `id`", {"images": [{"data": TEXT, "name": "a"}]},
            "name:", "known are data, url, id"),
    in_json("neither `data` nor `url`", {"images": [{"id": "a"}]}, "either"),
    in_json("both `data` and `url`", {"images": [{"data": TEXT, "url": "https://a.b"}]}, "either"),
    twice("`images` twice in JSON", '{"images": [{IMAGE}], "images": [{IMAGE}]}'),
    twice("`images` and an empty `images` in JSON", '{"images": [{IMAGE}], "images": []}'),
    twice("`data` twice in an image of JSON", '{"images": [{IMAGE, IMAGE}]}'),
    twice("`id` twice in an image of JSON", '{"images": [{IMAGE, "id": "a", "id": "b"}]}'),
    Row(_case("ids of JSON that resemble keys", ()), json.dumps({"images": [
        {"data": TEXT, "id": 'data: "data": "id"'}]}).encode()),
    headers("X-Request-Deadline", "100", "x-request-deadline:", "X-Request-Deadline-Ms"),
    headers("X-Deadline-Ms", "100", "x-deadline-ms:", "X-Request-Deadline-Ms"),
    headers("Deadline", "100", "deadline:", "X-Request-Deadline-Ms"),
    headers("X-Request-Deadline-Ms", "0.5", "X-Request-Deadline-Ms:", "a whole number of"),
    headers("Embeddings", "true", "embeddings:", "?embeddings="),
    headers("X-Min-Score", "0.9", "x-min-score:", "?min_score="),
    headers("X-Min-Face", "40", "x-min-face:", "?min_face="),
    headers("Orientation", "auto", "orientation:", "?orientation="),
    headers("X-Request-Deadline-Ms", "60000"),
    headers("X-Request-Start", "t=1"),
    headers("Finagle-Ctx-com.twitter.finagle.Deadline", "1 2"),
]  # fmt: skip
OPTIONS = [row.case for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=[case.input for case in OPTIONS])
def test_no_option_is_ignored(server: Server, row: Row) -> None:
    check(server, row)


def test_a_face_too_small_for_one_of_several_images_is_its_error(server: Server) -> None:
    files = [("images", ("large.png", LARGE)), ("images", ("photo.jpg", PHOTO))]
    with server.client() as client:
        large, photo = client.post(f"{URL}?min_face=12", files=files).json()["images"]
    assert large["error"]["code"] == "min_face_too_small"
    assert large["faces"] == []
    assert photo["error"] is None
    assert len(photo["faces"]) == 1


def test_a_deadline_sent_twice_is_refused(server: Server) -> None:
    name = "X-Request-Deadline-Ms"
    with server.client() as client:
        answer = client.post("/v1/emotions", content=PHOTO, headers=[(name, "1000"), (name, "9")])
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"{name}: give it once"
