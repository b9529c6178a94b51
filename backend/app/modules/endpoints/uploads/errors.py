"""What can go wrong with files that are handed in."""

from backend.app.core.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    TouchstoneError,
    UnsupportedMediaType,
)


class UploadNotFound(NotFound):
    code = "upload.not_found"
    title = "There is no such upload"


class UploadTooLarge(PayloadTooLarge):
    code = "upload.too_large"
    title = "The file is too large"


class UploadTooSlow(TouchstoneError):
    status = 408
    code = "upload.too_slow"
    title = "The file comes too slowly"


class UploadBroken(InvalidInput):
    code = "upload.incomplete"
    title = "The file did not come as a whole"


class WrongForm(UnsupportedMediaType):
    code = "upload.wrong_content_type"
    title = "Send the file as application/octet-stream, or in a multipart/form-data body"


class UnsupportedFile(UnsupportedMediaType):
    code = "upload.unsupported"
    title = "The file is of a format that discovery does not read"


class UnusableFile(InvalidInput):
    """The reason stands in `errors`, as its `type`: `upload.empty`, `upload.not_text`, `archive.too_compressed` ..."""

    code = "upload.unusable"
    title = "Discovery cannot read this file"


class TooManyUploads(Conflict):
    code = "upload.too_many"
    title = "The workspace has too much that no discovery has read yet: start one, or delete some of it"


class NoSpace(TouchstoneError):
    status = 507
    code = "upload.no_space"
    title = "There is no space left for the file"
