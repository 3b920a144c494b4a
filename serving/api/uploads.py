"""The images of a predict request: one raw body, or the files of a form. Every refusal is one sentence."""

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError

from labelling.models import Project
from serving.api.base import TooLarge
from serving.api.named import images_named
from serving.services.admission import Deadline

MAX_BODY = 32 * 1024 * 1024
MAX_IMAGES = 64
RAW_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED


class WrongType(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE


def images_sent(request: HttpRequest, project: Project, deadline: Deadline) -> list[bytes]:
    """At least one image, undecoded: sent, or of the project's own. Raises an APIException."""
    check_length(request)
    try:
        if request.content_type == "multipart/form-data":
            return _form_images(request)
        if request.content_type in RAW_TYPES:
            return [request.body]
        if request.content_type == "application/json":
            return images_named(request.body, project, deadline)
    except RequestDataTooBig as error:
        raise _too_large() from error
    except UnreadablePostError as error:
        raise ParseError("The connection broke before the whole body had come.") from error
    raise WrongType(
        f"A body of type '{request.content_type or 'none'}' is not read here: send the image's bytes as "
        f"{', '.join(RAW_TYPES[:3])} or {RAW_TYPES[3]}, a multipart form with 'image' files, or JSON that "
        "names items."
    )


def check_length(request: HttpRequest, most: int = MAX_BODY) -> None:
    """Refuse a body without an honest length, or one larger than `most` bytes, before reading any of it."""
    if "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower():
        raise LengthRequired("Send the body with a Content-Length, not in chunks.")
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdigit() or length == "0":
        raise ParseError("The body is empty: the reference page shows what to send.")
    if int(length) > most:
        raise _too_large(most)


def _form_images(request: HttpRequest) -> list[bytes]:
    try:
        files = request.FILES.getlist("image")
        others = sorted({*request.FILES, *request.POST} - {"image"})
    except MultiPartParserError as error:
        raise ParseError(f"The form cannot be read: {error}") from error
    except (TooManyFilesSent, TooManyFieldsSent) as error:
        raise _too_many() from error
    if not files:
        if "image" in request.POST:
            message = "The form's field 'image' is text: send a file (curl -F image=@digit.png)."
        elif others:
            message = f"The form has no file 'image', only: {', '.join(others)}."
        else:
            message = "The form has no file 'image': send one (curl -F image=@digit.png) or several."
        raise ParseError(message)
    if len(files) > MAX_IMAGES:
        raise _too_many()
    return [file.read() for file in files]


def _too_large(most: int = MAX_BODY) -> TooLarge:
    if most < MAX_BODY:
        return TooLarge(f"The body is larger than {most // 1024} kB.")
    return TooLarge(f"The body is larger than {most // 1024**2} MB: send fewer or smaller images.")


def _too_many() -> TooLarge:
    return TooLarge(f"A request holds at most {MAX_IMAGES} images: send more requests.")
