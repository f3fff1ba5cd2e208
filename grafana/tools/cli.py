"""The command line of the tools: options, exit codes, the only output and the only clock."""

from __future__ import annotations

import argparse
import errno
import getpass
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from grafana.tools import account, alert, secret
from grafana.tools.export import export
from grafana.tools.line import Operator, tame
from grafana.tools.options import parse
from grafana.tools.server import Credentials, GrafanaError, Server, UsageError, address, plain
from grafana.tools.upload import Wish, upload
from telegraf_cvmfs.words.fault import place
from telegraf_cvmfs.words.secrecy import without_secrets

OK, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0 well, 1 something failed, 2 wrong use; of a Nagios check its own."""
    nagios = "--nagios" in arguments
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _run(arguments)
    except SystemExit as end:  # argparse, after --help or what is wrong
        return _wrong_use("see stderr", nagios=nagios) if end.code else OK
    except UsageError as error:
        _tell(f"E! {error}")
        return _wrong_use(str(error), nagios=nagios)
    except GrafanaError as error:
        if not nagios:
            _tell(f"E! {error}")
        return _check(alert.cannot_ask(str(error))) if nagios else FAILED
    except OSError as error:  # of stdout: all others have been put into words where they came up
        if sys.stdout is not None:  # what is left in it shall not fail again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read us has had enough
            return OK
        _tell(f"E! stdout: {error.strerror}")
    except (KeyboardInterrupt, EOFError):
        _tell("E! interrupted")
    except Exception as error:  # noqa: BLE001  # whatever it says may hold a secret, so only what and where
        _tell(f"E! internal error, please report it: {type(error).__name__} in {place(error)}")
    return alert.UNKNOWN if nagios else FAILED


def _run(arguments: Sequence[str]) -> int:
    if list(arguments[:1]) == ["relay"]:
        from grafana.relay import main as relay  # noqa: PLC0415  # a daemon: the others start without it

        return relay(arguments[1:])
    options = parse(arguments)
    return _COMMANDS[options.command](options)


def _wrong_use(why: str, *, nagios: bool) -> int:
    """2 would be CRITICAL to Nagios."""
    return _check(alert.cannot_ask(f"wrong use: {why}")) if nagios else WRONG_USE


def _check(result: tuple[int, str]) -> int:
    code, text = result
    _say(text)
    return code


# --- commands ---------------------------------------------------------------------------------------


def _create_token(options: argparse.Namespace) -> int:
    server = _server(options, secret.login(os.environ, _ask if sys.stdin and sys.stdin.isatty() else None))
    to = None if str(options.output) == "-" else options.output
    if to is None:
        _issue(options, server, _say, "stdout")
    else:
        with secret.private_file(to) as write:  # before a token is made that could not be kept
            _issue(options, server, lambda key: write(key + "\n"), str(to))
    return OK


def _issue(options: argparse.Namespace, server: Server, keep: Callable[[str], None], where: str) -> None:
    now = datetime.now(UTC)
    token = account.create_token(server, options.name, options.role, options.expires, now)
    try:
        keep(token.key)
    except OSError as error:
        what = f"{where}: {error.strerror}; the token {token.name} was made and is lost: delete it in Grafana"
        raise GrafanaError(what) from error
    end = "without an end" if options.expires is None else f"until {now + options.expires:%Y-%m-%d %H:%M} UTC"
    made = "made the" if token.made else "found the"
    _tell(f"I! {made} service account {options.name} ({options.role}); its token {token.name} lives {end}: {where}")


def _export(options: argparse.Namespace) -> int:
    server = _server(options, _token(options))
    well = export(server, options.uid, options.folder, options.to, Operator(_say, _tell))
    return OK if well else FAILED


def _import(options: argparse.Namespace) -> int:
    server = _server(options, _token(options))
    wish = Wish(options.folder, options.overwrite, options.datasource)
    well = upload(server, options.paths, wish, Operator(_say, _tell))
    return OK if well else FAILED


def _alerts(options: argparse.Namespace) -> int:
    server = _server(options, _token(options))
    found, now = alert.firing(server, dict(options.label)), datetime.now(UTC)
    if options.nagios:
        return _check(alert.nagios(found, now))
    shown = found if options.state == "all" else [one for one in found if one.counts]
    if options.format == "json":
        _say(alert.document(shown))
    else:
        _say("\n".join([*alert.lines(shown, now), _end(found, shown)]))
    return OK


def _end(found: Sequence[alert.Alert], shown: Sequence[alert.Alert]) -> str:
    return alert.total(found) + ("; --state all shows them all" if len(found) > len(shown) else "")


_COMMANDS = {"create-token": _create_token, "export": _export, "import": _import, "alerts": _alerts}


# --- who asks whom ----------------------------------------------------------------------------------


def _server(options: argparse.Namespace, credentials: Credentials) -> Server:
    url = address(options.url or os.environ.get("GRAFANA_URL") or "http://127.0.0.1:3000")
    if options.ca is not None and not options.ca.is_file():
        raise UsageError(f"--ca {options.ca}: there is no such file")
    if plain(url):
        _tell(f"W! {url}: not encrypted, the secret can be read on its way there")
    return Server(url, credentials, options.ca)


def _token(options: argparse.Namespace) -> Credentials:
    return secret.token(os.environ, options.token_file, lambda text: _tell(f"W! {text}"))


def _ask(what: str, *, hidden: bool) -> str:
    if hidden:
        return getpass.getpass(what)
    sys.stderr.write(what)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


# --- the operator -----------------------------------------------------------------------------------


def _say(text: str) -> None:
    """A line or more for stdout, in UTF-8 whatever the locale."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.flush()
    sys.stdout.buffer.write((text + "\n").encode(errors="replace"))
    sys.stdout.buffer.flush()


def _tell(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(tame(without_secrets(line), 1000) + "\n")
