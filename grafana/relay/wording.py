"""A message as text: plain for mail, in Slack's, Mattermost's and Matrix's marks. Pure.

What came with an alert is escaped for each, so that it can neither call people (`@channel`), nor make links, nor
end the mark that it stands in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from grafana.relay.message import Kind, Message, News

BREAK = "\u200b"
"""A space of no width: after an @ no chat reads a name, within a URL no program a link."""
MOST_MINUTES = 253_402_300_799
"""Unix time of the last second that `datetime` can show."""


@dataclass(frozen=True)
class Style:
    """How one kind of receiver marks text up; `longest` is in bytes of UTF-8, well below what it accepts."""

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    line: str
    longest: int


def text(message: Message, style: Style) -> str:
    """The whole message; what would make it too long is counted instead of named."""
    parts = [style.bold(style.escape(headline(message)))]
    size = len(parts[0].encode())
    named = 0
    alone = sum(count for _, count in message.counts) == 1
    for news in message.worst:
        part = style.line.join(_entry(news, style, alone=alone))
        size += len(part.encode()) + 2 * len(style.line)
        if size > style.longest:
            break
        if part:
            parts.append(part)
        named += 1
    parts.extend(_ending(message, named, style))
    return style.line.join(parts)


def headline(message: Message) -> str:
    """The message in one line of plain text: a mail's subject. It is made of cleaned texts and holds no line break."""
    first = message.worst[0]
    severity = f"[{first.alert.severity}] " if first.alert.severity and first.kind is not Kind.RESOLVED else ""
    if sum(count for _, count in message.counts) == 1:
        return f"{severity}CVMFS {_title(first)}"
    return f"{severity}CVMFS alerts: {', '.join(f'{count} {label}' for label, count in message.counts)}"


def _title(news: News) -> str:
    return news.label if news.kind is Kind.TEST else f"{news.label}: {_subject(news)}"


def _subject(news: News) -> str:
    return f"{news.alert.name} on {news.alert.place}" if news.alert.place else news.alert.name


def _entry(news: News, style: Style, *, alone: bool) -> list[str]:
    """The lines of one alert; if it is alone, the headline has said the first of them."""
    alert = news.alert
    severity = f" ({alert.severity})" if alert.severity else ""
    first = style.bold(style.escape(news.label)) + style.escape(f"{severity}: {_subject(news)}")
    lines = [] if alone else [first]
    if alert.summary:
        lines.append(style.escape(alert.summary))
    rest = [style.escape(f"since {when(alert.started)}")] if alert.started and news.kind is Kind.FIRING else []
    if news.kind is Kind.FLAPPING:
        rest.append(style.escape("it changes too often to tell each change; the next message is when it has settled"))
    rest += [style.link(name, url) for name, url in (("look", alert.link), ("what to do", alert.runbook)) if url]
    if rest:
        lines.append(" · ".join(rest))
    return lines


def _ending(message: Message, named: int, style: Style) -> list[str]:
    ending = []
    if more := message.more + len(message.worst) - named:
        ending.append(style.escape(f"and {more} more"))
    if any(news.kind is not Kind.TEST for news in message.worst):
        ending.append(style.escape(f"open now: {message.still_open or 'none'}"))
    return ending


def when(time: float) -> str:
    """Unix time to the minute, in UTC."""
    moment = datetime.fromtimestamp(min(max(time, 0.0), MOST_MINUTES), UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


# --- the styles -----------------------------------------------------------------------------------------


def _same(value: str) -> str:
    return value


def _no_link(value: str) -> str:
    """A URL, in which programs see a link though nobody marked it as one, in such a way that they see none."""
    return _BARE_URL.sub(lambda url: re.sub(r"[:.]", lambda mark: f"{BREAK}{mark[0]}{BREAK}", url[0]), value)


_BARE_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.|(?:mailto|matrix|tel|sms|xmpp|magnet):)\S*", re.IGNORECASE)


def _slack(value: str) -> str:
    # Slack asks for these three and no others; with them no <!channel>, <@user> or <url> can be made.
    return _entities(_chat(value))


def _entities(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _chat(value: str) -> str:
    """What no chat takes for a name, a room or a link."""
    return re.sub("[@#]", lambda mark: f"{mark[0]}{BREAK}", _no_link(value))


def _mattermost(value: str) -> str:
    return _chat(re.sub(r"([\\`*_{}\[\]()#+!|~<>])", r"\\\1", value))


def _matrix(value: str) -> str:
    return html.escape(_chat(value))


PLAIN = Style(_no_link, _same, lambda name, url: f"{name}: {url}", "\n", 60_000)
SLACK = Style(_slack, lambda value: f"*{value}*", lambda name, url: f"<{_entities(url)}|{name}>", "\n", 30_000)
MATTERMOST = Style(_mattermost, lambda value: f"**{value}**", lambda name, url: f"[{name}]({url})", "\n", 12_000)
MATRIX_HTML = Style(
    _matrix,
    lambda value: f"<b>{value}</b>",
    lambda name, url: f'<a href="{html.escape(url)}">{name}</a>',
    "<br>",
    20_000,
)
MATRIX_PLAIN = Style(_chat, _same, lambda name, url: f"{name}: {url}", "\n", 20_000)
