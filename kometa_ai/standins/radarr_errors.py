"""Write the bodies of Radarr's errors: a list (validation), two kinds of object, and its framework's ProblemDetails."""

from __future__ import annotations

import json
import uuid
from typing import Any

_TRACE = """
   at NzbDrone.Core.Datastore.BasicRepository`1.Get(IEnumerable`1 ids) in ./Radarr.Core/Datastore/BasicRepository.cs
   at Radarr.Api.V3.Movies.MovieEditorController.SaveAll(MovieEditorResource resource) in ./Movies/MovieEditor.cs
   at Microsoft.AspNetCore.Authorization.AuthorizationMiddleware.Invoke(HttpContext context)
   at Radarr.Http.Middleware.UrlBaseMiddleware.InvokeAsync(HttpContext context) in ./Middleware/UrlBaseMiddleware.cs"""

_TYPES = {400: "15.5.1", 404: "15.5.5", 415: "15.5.16"}
_TITLES = {400: "One or more validation errors occurred.", 404: "Not Found", 415: "Unsupported Media Type"}
_ESCAPED = str.maketrans({char: f"\\u{ord(char):04X}" for char in "'<>&+`"})


class RadarrError(Exception):
    """An exception that reaches Radarr's error pipeline, with the answer it becomes."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class FrameworkError(Exception):
    """A request that the web framework refuses before Radarr sees it (ProblemDetails)."""

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


def failure(status: int, message: str, exception: str = "System.InvalidOperationException") -> RadarrError:
    """Any exception in an action: its message, and the whole stack trace as the description."""
    return RadarrError(status, {"message": message, "description": f"{exception}: {message}{_TRACE}"})


def database_locked() -> RadarrError:
    """SQLite was busy for longer than Radarr waits."""
    return failure(500, "database is locked\ndatabase is locked", "code = Busy (5), System.Data.SQLite.SQLiteException")


def not_found(kind: str, number: int) -> RadarrError:
    """Radarr's ModelNotFoundException."""
    name = f"NzbDrone.Core.Datastore.ModelNotFoundException ({kind})"
    return failure(404, f"{kind} with ID {number} does not exist", name)


def bad_request(content: str) -> RadarrError:
    """Radarr's ApiException."""
    return RadarrError(400, {"message": f"BadRequest: {content}", "content": content})


def invalid(field: str, message: str, value: object, code: str, **placeholders: object) -> RadarrError:
    """A refusal by Radarr's validators (FluentValidation)."""
    entry = {
        "propertyName": field,
        "errorMessage": message,
        "attemptedValue": value,
        "severity": "error",
        "errorCode": code,
        "formattedMessageArguments": [],
        "formattedMessagePlaceholderValues": {**placeholders, "propertyName": field, "propertyValue": value},
    }
    return RadarrError(400, [{name: item for name, item in entry.items() if item is not None}])


def error_json(body: object) -> bytes:
    """JSON as the error pipeline writes it: indented, with quotes and everything beyond ASCII escaped."""
    text = json.dumps(body, indent=2)
    return text.translate(_ESCAPED).replace('\\"', "\\u0022").encode()
