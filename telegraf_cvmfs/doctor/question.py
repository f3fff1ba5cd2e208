"""The steps about a question over HTTP that got no answer, or not the one that was wanted. Pure."""

from __future__ import annotations

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.question import LONGEST_QUOTE, Reply
from telegraf_cvmfs.words.secrecy import masked

TIME_IS_UP = "the doctor's time was up (--deadline)"


def no_web_address(link: Link, url: str, variable: str) -> Step:
    """The step about an address that is none."""
    what = f"{variable} is not the address of a server: {masked(url)[:LONGEST_QUOTE]!r}"
    return Step(link, Verdict.WRONG, what, f"write http://host:port or https://host:port into {variable}")


def unanswered(link: Link, url: str, error: FetchError, advice: str) -> Step:
    """The step about a question to which no answer came; `advice` is for when nobody listens there."""
    if error.result is Result.DEADLINE:
        return Step(link, Verdict.NOT_ASKED, TIME_IS_UP, "give the doctor more time: --deadline 180")
    return Step(link, Verdict.WRONG, f"no answer from {url}: {error}", _REMEDIES.get(error.result, advice))


def start_it(service: str, variable: str, command: str) -> str:
    """What to do where nobody listens: the command that starts all parts together, else that of its own service."""
    if command:
        return f"start it: {command}"
    return f"start it: sudo systemctl start {service} (./stack up in Docker), or correct {variable}"


def redirected(link: Link, url: str, reply: Reply, variable: str) -> Step:
    """The step about a redirect: it is not followed, for a login goes with each question."""
    where = reply.without_secrets(reply.headers.get("location", "nowhere"))[:LONGEST_QUOTE]
    what = f"{url} redirects to {where!r}: not followed, so that no login goes to a stranger"
    return Step(link, Verdict.WRONG, what, f"write the address itself into {variable}, if you trust it")


_REMEDIES = {
    Result.DNS_ERROR: "is the name in the address right, and has this machine a DNS server?",
    Result.TIMEOUT: "it takes too long, or a firewall drops what is sent there: look at its log and its load",
    Result.TLS_ERROR: "does it speak https there, with a certificate that this machine trusts (SSL_CERT_FILE)?",
    Result.TOO_LARGE: "that is no answer to what was asked: is something else listening at this address?",
    Result.OWN_LIMIT: "that is a limit of this machine: raise it, and examine again",
    Result.HTTP_ERROR: "what listens there does not speak HTTP: is the port right?",
}
