"""The user's stored connections, in the settings folder. Secrets are never among them: they lie in a file of their own, if at all."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange.pacs.connection import ASK, FROM_FILE, FROM_VARIABLE, KEPT, Connection, connection_from
from OsteoScreenLib.files import settings_folder, write_atomically, write_text

_CONNECTIONS, _SECRETS = "pacs.json", "pacs-secrets.json"


def connections() -> tuple[Connection, ...]:
    """All stored connections, by name. Raises `InputError` (code "connections") when the file cannot be understood."""
    return tuple(sorted((connection_from(values) for values in _stored(_CONNECTIONS)["connections"]), key=lambda one: one.name))


def connection_named(name: str) -> Connection:
    """The stored connection of a name. Raises `InputError` (code "no-connection") naming those that there are."""
    known = connections()
    for one in known:
        if one.name == name:
            return one
    names = f"there are {', '.join(one.name for one in known)}" if known else "there is none yet"
    raise InputError(f"There is no connection {name!r}; {names}; add one with 'osteoscreen pacs add'.", code="no-connection")


def add(connection: Connection, secret: str | None = None, replace: bool = False) -> Path:
    """Store a connection, and its secret when the connection says "kept". Returns the file.

    Raises `InputError` (code "connection-exists") when the name is taken and `replace` is off.
    """
    known = connections()
    if not replace and any(one.name == connection.name for one in known):
        raise InputError(f"There is a connection {connection.name} already; say --replace to change it.", "connection-exists")
    if connection.secret == KEPT and connection.needs_secret:
        if secret is None and connection.name not in _stored(_SECRETS)["secrets"]:
            raise InputError(f"Connection {connection.name} keeps its password or token, and none was given.", code="no-secret")
        if secret is not None:
            keep_secret(connection.name, secret)
    else:
        forget_secret(connection.name)
    return _write([*(one for one in known if one.name != connection.name), connection])


def remove(name: str) -> None:
    """Forget a connection and its kept secret. Raises `InputError` (code "no-connection") when there is none of that name."""
    gone = connection_named(name)
    _write([one for one in connections() if one != gone])
    forget_secret(name)


def keep_secret(name: str, secret: str) -> None:
    """Keep a password or token in OsteoScreen's own file, which the user alone can read."""
    _write_secrets({**_stored(_SECRETS)["secrets"], name: _usable(secret, name)})


def forget_secret(name: str) -> None:
    """Delete what is kept under a connection's name, if anything is."""
    kept = dict(_stored(_SECRETS)["secrets"])
    if kept.pop(name, None) is not None:
        _write_secrets(kept)


def secret_is_at_hand(connection: Connection) -> bool:
    """Whether the connection can be opened without typing: it needs no secret, or its secret is where it says."""
    if not connection.needs_secret:
        return True
    try:
        return bool(secret_of(connection))
    except InputError:
        return False


def secret_of(connection: Connection) -> str:
    """The connection's password or token, "" when it needs none.

    Raises `InputError` (code "no-secret") in one sentence when it is not where the connection says, or has to be typed.
    """
    where, name = connection.secret, connection.name
    if not connection.needs_secret:
        return ""
    if where == KEPT:
        kept = _stored(_SECRETS)["secrets"].get(name)
        if kept is None:
            raise _no_secret(f"No password or token is kept for connection {name}; add the connection again.")
        return _usable(kept, name)
    if where.startswith(FROM_VARIABLE):
        variable = where.removeprefix(FROM_VARIABLE)
        if not os.environ.get(variable):
            raise _no_secret(f"Connection {name} takes its password or token from the environment variable {variable}; set it.")
        return _usable(os.environ[variable], name)
    if where.startswith(FROM_FILE):
        return _usable(_private_text(Path(where.removeprefix(FROM_FILE)).expanduser(), name), name)
    assert where == ASK
    raise _no_secret(f"Connection {name} needs its password or token typed; run the command in a terminal.")


def _private_text(path: Path, name: str) -> str:
    """The one line of a file that nobody else may read."""
    try:
        with open(path, encoding="utf-8") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise _no_secret(f"Others may read the password file of connection {name}; run 'chmod 600 {path}'.")
            return file.read(1 << 16).strip()
    except OSError as error:
        raise _no_secret(f"The password file of connection {name}, {path}, cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise _no_secret(f"The password file of connection {name}, {path}, is no text.") from error


def _usable(secret: str, name: str) -> str:
    if not secret or not secret.isprintable():
        raise _no_secret(f"The password or token of connection {name} is empty or holds a line break.")
    return secret


def _no_secret(sentence: str) -> InputError:
    return InputError(sentence, code="no-secret")


def _stored(file: str) -> dict[str, Any]:
    """What one of the two files holds: {"connections": [...]} or {"secrets": {...}}."""
    empty: dict[str, Any] = {"connections": [], "secrets": {}}
    path = settings_folder() / file
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        known = {**empty, **held}
        fit = all(isinstance(one, dict) for one in known["connections"]) and all(
            isinstance(one, str) for one in known["secrets"].values()
        )
    except FileNotFoundError:
        return empty
    except (OSError, ValueError, TypeError, AttributeError):
        fit = False
    if not fit:
        raise InputError(f"The stored connections in {path} cannot be read; mend or delete the file.", code="connections")
    return known


def _write(known: list[Connection]) -> Path:
    values = [one.as_json() for one in sorted(known, key=lambda one: one.name)]
    return write_text(_folder() / _CONNECTIONS, json.dumps({"connections": values}, indent=2) + "\n")


def _write_secrets(secrets: dict[str, str]) -> None:
    def write(temporary: Path) -> None:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"secrets": secrets}, file, indent=2)

    write_atomically(_folder() / _SECRETS, write)


def _folder() -> Path:
    folder = settings_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OsteoScreenError(
            f"The folder for settings, {folder}, cannot be made ({error.strerror}); set OSTEOSCREEN_SETTINGS to another one."
        ) from error
    return folder
