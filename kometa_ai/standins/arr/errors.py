"""Write the bodies of their errors: a list (validation), two kinds of object, and the framework's ProblemDetails."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kometa_ai.standins.arr.product import Product

_INVALID_OPERATION = "System.InvalidOperationException"
_TRACE = """
   at NzbDrone.Core.Datastore.BasicRepository`1.Get(IEnumerable`1 ids) in ./{name}.Core/Datastore/BasicRepository.cs
   at {name}.Api.V3.{folder}.{editor}Controller.SaveAll({editor}Resource resource) in ./{folder}/{editor}.cs
   at Microsoft.AspNetCore.Authorization.AuthorizationMiddleware.Invoke(HttpContext context)
   at {name}.Http.Middleware.UrlBaseMiddleware.InvokeAsync(HttpContext context) in ./Middleware/UrlBaseMiddleware.cs"""

_TYPES = {400: "15.5.1", 404: "15.5.5", 415: "15.5.16"}
_TITLES = {400: "One or more validation errors occurred.", 404: "Not Found", 415: "Unsupported Media Type"}
_ESCAPED = str.maketrans({char: f"\\u{ord(char):04X}" for char in "'<>&+`"})


class ArrError(Exception):
    """An exception that reaches the error pipeline, with the answer it becomes.

    With the name of an `exception` the body is a message, and the pipeline adds the stack trace.
    """

    def __init__(self, status: int, body: Any, exception: str = "") -> None:  # noqa: ANN401 # any JSON
        super().__init__(body)
        self._status = status
        self._body = body
        self._exception = exception

    def status(self, product: Product) -> int:
        """The status that this program gives it."""
        return product.invalid_operation if self._exception == _INVALID_OPERATION else self._status

    def json(self, product: Product) -> bytes:
        """JSON as the error pipeline writes it: indented, with quotes and everything beyond ASCII escaped."""
        body = self._body
        if self._exception:
            folder, _, editor = product.editor.partition(".")
            trace = _TRACE.format(name=product.name, folder=folder, editor=editor)
            body = {**body, "description": f"{self._exception}: {body['message']}{trace}"}
        text = json.dumps(body, indent=2)
        return text.translate(_ESCAPED).replace('\\"', "\\u0022").encode()


class FrameworkError(Exception):
    """A request that the web framework refuses before the program sees it (ProblemDetails)."""

    def __init__(self, status: int, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(errors)
        self.status = status
        self.body: dict[str, Any] = {
            "type": f"https://tools.ietf.org/html/rfc9110#section-{_TYPES[status]}",
            "title": _TITLES[status],
            "status": status,
            **({"errors": errors} if errors else {}),
            "traceId": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00",
        }


def failure(status: int, message: str, exception: str) -> ArrError:
    """Any exception in an action: its message, and the whole stack trace as the description."""
    return ArrError(status, {"message": message}, exception)


def invalid_operation(message: str) -> ArrError:
    """An InvalidOperationException, to which versions give different statuses."""
    return failure(500, message, _INVALID_OPERATION)


def database_locked() -> ArrError:
    """SQLite was busy for longer than the program waits."""
    return failure(500, "database is locked\ndatabase is locked", "code = Busy (5), System.Data.SQLite.SQLiteException")


def not_found(kind: str, number: int) -> ArrError:
    """A ModelNotFoundException."""
    name = f"NzbDrone.Core.Datastore.ModelNotFoundException ({kind})"
    return failure(404, f"{kind} with ID {number} does not exist", name)


def bad_request(content: str) -> ArrError:
    """An ApiException."""
    return ArrError(400, {"message": f"BadRequest: {content}", "content": content})


def invalid(field: str, message: str, value: object, code: str, **placeholders: object) -> ArrError:
    """A refusal by the validators (FluentValidation)."""
    entry = {
        "propertyName": field,
        "errorMessage": message,
        "attemptedValue": value,
        "severity": "error",
        "errorCode": code,
        "formattedMessageArguments": [],
        "formattedMessagePlaceholderValues": {**placeholders, "propertyName": field, "propertyValue": value},
    }
    return ArrError(400, [{name: item for name, item in entry.items() if item is not None}])
