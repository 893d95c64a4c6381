"""Forms are read in every shape that browsers, SDKs and libraries give them."""

import base64
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from urllib.parse import urlencode

import pytest

from tests.cases import Case
from tests.server import Server
from tests.service.http.rows import PHOTO, Row, check, typed

TEXT = base64.b64encode(PHOTO).decode()
DATA_URL = f"data:image/jpeg;base64,{TEXT}"
FORM = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"
READ, ONE_FACE = "read", "read; 1 face"
INVALID = "400 `invalid_request`"
NAME = 'Content-Disposition: form-data; name="images"'
FILE = f'{NAME}; filename="a.jpg"'
JPEG = "Content-Type: image/jpeg"


def part(head: str, data: bytes, end: bytes = b"\r\n") -> bytes:
    lines = head.encode().replace(b"\n", end)
    return b"--b" + end + lines + end + end + data + end


def form(*parts: bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join(parts) + b"--b--" + end


def one(
    name: str, head: str, data: bytes = PHOTO, happens: str = ONE_FACE, kind: str = FORM
) -> Row:
    """A form of one part."""
    return typed(Case(name, READ, happens), kind, form(part(head, data)))


def whole(name: str, kind: str, content: bytes, happens: str = ONE_FACE) -> Row:
    return typed(Case(name, READ, happens), kind, content)


def refused(name: str, expected: str, named: str, *parts: bytes) -> Row:
    return typed(Case(name, expected, f"{INVALID}, names {named}"), FORM, form(*parts))


def mail(kind: str) -> Row:
    """What Python's `email` makes: LF, folded headers, base64 with line breaks."""
    message = MIMEMultipart(kind)
    image = MIMEImage(PHOTO, "jpeg")
    image.add_header("Content-Disposition", "attachment", filename="a" * 90 + ".jpg")
    message.attach(image)
    _, _, body = message.as_bytes().partition(b"\n\n")
    content_type = f"multipart/{kind}; boundary={message.get_boundary()}"
    assert b"\r" not in body
    return whole(f"`multipart/{kind}` made by a library for mail", content_type, body)


# As Chrome 142 and Firefox 145 send `new FormData(document.forms[0])`, and as curl 8 does.
CHROME = (
    b"------WebKitFormBoundaryB6eS2kVJ5oQy1cF0\r\n"
    b'Content-Disposition: form-data; name="images"; filename="caf\xc3\xa9 %22x%22.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n" + PHOTO + b"\r\n"
    b"------WebKitFormBoundaryB6eS2kVJ5oQy1cF0\r\n"
    b'Content-Disposition: form-data; name="second"; filename=""\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\r\n"
    b"------WebKitFormBoundaryB6eS2kVJ5oQy1cF0--\r\n"
)
FIREFOX = (
    b"------geckoformboundary3b2e1c\r\n"
    b'Content-Disposition: form-data; name="_charset_"\r\n\r\nUTF-8\r\n'
    b"------geckoformboundary3b2e1c\r\n"
    b'Content-Disposition: form-data; name="images"; filename="blob"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n" + PHOTO + b"\r\n"
    b"------geckoformboundary3b2e1c--\r\n"
)
CURL = (
    b"--------------------------d74496d66958873e\r\n"
    b'Content-Disposition: form-data; name="images"; filename="a.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n" + PHOTO + b"\r\n"
    b"--------------------------d74496d66958873e--\r\n"
)
INNER = (
    b"--i\r\nContent-Disposition: file; filename=a.jpg\r\nContent-Type: image/jpeg\r\n\r\n" + PHOTO
) * 2 + b"\r\n--i--"
INNER = INNER.replace(PHOTO + b"--i", PHOTO + b"\r\n--i")

ROWS = [
    whole("Chrome, a file and an empty input", "multipart/form-data; boundary="
          "----WebKitFormBoundaryB6eS2kVJ5oQy1cF0", CHROME),
    whole("Firefox, with `_charset_`", "multipart/form-data; boundary="
          "----geckoformboundary3b2e1c", FIREFOX),
    whole("curl `-F images=@a.jpg`", "multipart/form-data; boundary="
          "------------------------d74496d66958873e", CURL),
    one("the field `images[]` (PHP)", FILE.replace("images", "images[]")),
    one("the field `images[0]` (Rails, axios)", FILE.replace("images", "images[0]")),
    one("a file without a content type", FILE),
    one("a file with a wrong content type", f"{FILE}\nContent-Type: text/plain"),
    one("no file name, with a content type (OkHttp)", f"{NAME}\n{JPEG}"),
    one("no file name and no content type (curl `-F 'images=<a.jpg'`)", NAME),
    one("only `filename*` (urllib3 1, .NET)", f"{NAME}; filename*=utf-8''caf%C3%A9.jpg"),
    one("`filename` and `filename*`", f"{FILE}; filename*=UTF-8''caf%C3%A9.jpg"),
    one("`filename*` that is not UTF-8", f"{NAME}; filename*=undefined''%ff%fe.jpg"),
    one("a path of Windows as name", f'{NAME}; filename="C:\\photos\\a.jpg"'),
    one("names without quotes (Postman, Retrofit)", FILE.replace('"', "")),
    one("headers in lower case, in another order", f"{JPEG}\n{FILE}".lower()),
    one("a folded header", FILE.replace("; f", ";\n f")),
    one("`Content-Length` in a part (Apache HttpClient)", f"{FILE}\nContent-Length: {len(PHOTO)}"),
    one("`Content-Transfer-Encoding: binary`", f"{FILE}\nContent-Transfer-Encoding: binary"),
    one("`Content-Transfer-Encoding: base64` (old mobile SDKs)",
        f"{FILE}\nContent-Transfer-Encoding: base64", base64.encodebytes(PHOTO)),
    one("`Content-Transfer-Encoding: base64` before raw bytes",
        f"{FILE}\nContent-Transfer-Encoding: base64"),
    one("base64 in a file (React Native, Flutter)", f"{FILE}\n{JPEG}", TEXT.encode()),
    one("URL-safe base64 with line breaks in a file", FILE,
        base64.encodebytes(PHOTO).translate(bytes.maketrans(b"+/", b"-_"))),
    one("a data URL in a file", FILE, DATA_URL.encode()),
    one("an empty file name before an image", f'{NAME}; filename=""'),
    one("a file as `image/heic` that is a JPEG", f"{FILE}\nContent-Type: image/heic"),
    one("`Content-Transfer-Encoding: quoted-printable`",
        f"{FILE}\nContent-Transfer-Encoding: quoted-printable",
        b"".join(b"=%02X" % byte for byte in PHOTO)),
    one("a boundary in quotes", FILE, kind='multipart/form-data; charset=UTF-8; boundary="b"'),
    one("`charset=ISO-8859-1` (Apache HttpClient 4)", FILE.replace("a.jpg", "caf\xe9.jpg"),
        kind=f"{FORM}; charset=ISO-8859-1"),
    whole("no boundary in the content type, as set by hand", "multipart/form-data",
          form(part(FILE, PHOTO))),
    whole("a form that is called JSON (a default of axios)", "application/json",
          form(part(FILE, PHOTO))),
    whole("a form without a content type", "", form(part(FILE, PHOTO))),
    whole("lines that end in LF", FORM, form(part(FILE, PHOTO, b"\n"), end=b"\n")),
    whole("text before and after the parts", FORM,
          b"This is a form.\r\n" + form(part(FILE, PHOTO)) + b"The end.\r\n"),
    whole("no newline at the end", FORM, form(part(FILE, PHOTO), end=b"")),
    whole("spaces after the boundary", FORM,
          form(part(FILE, PHOTO)).replace(b"--b\r", b"--b \t\r")),
    whole("two files", FORM, form(part(FILE, PHOTO), part(FILE, PHOTO)), "read; 2 faces"),
    one("several files as `multipart/mixed` in a field (RFC 2388)",
        f"{NAME}\nContent-Type: multipart/mixed; boundary=i", INNER, "read; 2 faces"),
    one("`multipart/mixed`, parts without a field", JPEG, kind="multipart/mixed; boundary=b"),
    mail("related"),
    mail("mixed"),
    one("a data URL as text (`canvas.toDataURL`)", NAME, DATA_URL.encode()),
    one("base64 as text", NAME, base64.encodebytes(PHOTO)),
    whole("`images=` base64 in a urlencoded form", URLENCODED,
          urlencode({"images": TEXT}).encode()),
    whole("the same, not escaped (curl `-d images=$(base64 a.jpg)`)", URLENCODED,
          f"images={TEXT}".encode()),
    whole("a data URL in a urlencoded form", URLENCODED, urlencode({"images": DATA_URL}).encode()),
    whole("two images in a urlencoded form", URLENCODED,
          urlencode([("images[]", TEXT), ("images[]", TEXT)]).encode(), "read; 2 faces"),
    typed(Case("a URL as text", "fetched, if allowed", "403 `url_refused`"), FORM,
          form(part(NAME, b"https://example.com/a.jpg"))),
    typed(Case("a URL in a urlencoded form", "fetched, if allowed", "403 `url_refused`"),
          URLENCODED, urlencode({"images": "https://example.com/a.jpg?x=1"}).encode()),
    typed(Case("an empty input alone", "no image", "400 `no_images`"), FORM,
          form(part(f'{NAME}; filename=""', b""))),
    typed(Case("an empty file", "no image format", "415 `unsupported_media`"), FORM,
          form(part(FILE, b""))),
    refused("a file in the field `file`", "the wanted field", "`file`, `'images'`",
            part(FILE.replace("images", "file"), PHOTO)),
    refused("a file in the field `image` beside one in `images`", "the wanted field",
            "`image:`, `'images'`", part(FILE, PHOTO),
            part(FILE.replace("images", "image"), PHOTO)),
    refused("text in a misspelt field", "the wanted field", "`imgs`, `did you mean images?`",
            part(NAME.replace("images", "imgs"), TEXT.encode())),
    refused("text that is no base64", "where it stops", "`images[0]`, `'!' at offset 14`",
            part(NAME, b"see attachment!")),
    *(refused(f"`{text}` as text{by}", "the fix", "`text that is not base64`",
              part(NAME, text.encode())) for text, by in (
        ("[object File]", ", as browsers send an object"), ("undefined", ""),
    )),
    *(refused(f"`{text}` as text{by}", "the fix", f"`images[0] is a file name`, `{fix}`",
              part(NAME, text.encode())) for text, by, fix in (
        ("a.jpg", " (curl `-F images=a.jpg`)", "-F images=@a.jpg"),
        ("/home/me/My face.JPEG", "", "-F images=@/home/me/My face.JPEG"),
        ("C:\\fakepath\\a.jpg", ", as browsers name a file", "-F images=@a.jpg"),
    )),
    refused("a URL without a host", "which image", "`images[0]: give an absolute URL`",
            part(NAME, b"https://")),
    refused("an unknown transfer encoding", "its name", "`x-uuencode`",
            part(f"{FILE}\nContent-Transfer-Encoding: x-uuencode", b"begin 644 a.jpg")),
    refused("`filename*` beside `filename*0`", "an error", "`content-disposition`",
            part(f"{NAME}; filename*=a; filename*0=b", PHOTO)),
    typed(Case("a form that is cut off", "an error", f"{INVALID}, names `cut off`"), FORM,
          form(part(FILE, PHOTO))[:-9]),
    typed(Case("another boundary than the content type says", "an error",
               f"{INVALID}, names `boundary`"), "multipart/form-data; boundary=c",
          form(part(FILE, PHOTO))),
    typed(Case("file names in UTF-16", "an error", f"{INVALID}, names `UTF-8`"),
          f"{FORM}; charset=utf-16", form(part(FILE, PHOTO))),
]  # fmt: skip
FORMS = [row.case for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=[case.input for case in FORMS])
def test_forms_as_clients_send_them(server: Server, row: Row) -> None:
    check(server, row)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (FILE, "a.jpg"),
        (NAME, "0"),
        (f'{NAME}; filename=""', "0"),
        (f'{NAME}; filename="café.jpg"', "café.jpg"),
        (f"{NAME}; filename*=utf-8''caf%C3%A9.jpg", "café.jpg"),
        (f"{NAME}; filename*=iso-8859-1''caf%E9.jpg", "café.jpg"),
        (f'{NAME}; filename="C:\\fakepath\\a.jpg"', "a.jpg"),
        (f'{NAME}; filename="a;b \\"c\\".jpg"', 'a;b "c".jpg'),
    ],
)
def test_the_id_is_the_file_s_name(server: Server, head: str, name: str) -> None:
    row = typed(Case(head, READ, ONE_FACE), FORM, form(part(head, PHOTO)))
    assert check(server, row).json()["images"][0]["id"] == name


def test_forms_within_forms_have_a_limit(server: Server) -> None:
    nested = b"x"
    for level in range(9):
        nested = (
            b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (level + 1, level)
            + nested
            + b"\r\n--%d--" % (level + 1)
        )
    row = typed(Case("nested", "refused", INVALID), "multipart/mixed; boundary=9", nested)
    check(server, row)


@pytest.mark.parametrize(
    "content",
    [
        b"--b\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i--\r\n" * 100_000 + b"--b--",
        form(*[part(f'{NAME}; filename=""', b"")] * 100_000),
    ],
)
def test_empty_parts_have_a_limit(server: Server, content: bytes) -> None:
    named = f"{INVALID}, names `more than`"
    check(server, typed(Case("empty parts", "refused", named), FORM, content))


def test_empty_fields_have_a_limit(server: Server) -> None:
    named = f"{INVALID}, names `more than`"
    check(server, typed(Case("&", "refused", named), URLENCODED, b"images=" + b"&" * 1_000_000))
