"""The guard that keeps tests from asking anybody else."""

import socket
import threading
from collections.abc import Callable

import pytest

from tests.programs.loopback import ReachedOutside, only_loopback

OUTSIDE = "192.0.2.1"  # RFC 5737: nobody's


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.getaddrinfo("stratum.example", 80),
        lambda: socket.getaddrinfo(host="stratum.example", port=80),
        lambda: socket.gethostbyname("stratum.example"),
        lambda: socket.create_connection(("stratum.example", 80), timeout=1),
        lambda: socket.socket().connect((OUTSIDE, 80)),
        lambda: socket.socket(type=socket.SOCK_DGRAM).connect_ex((OUTSIDE, 53)),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whoever_reaches_out_is_stopped_and_written_down(reach: Callable[[], object]) -> None:
    with only_loopback() as reached:
        with pytest.raises(ReachedOutside, match=r"stratum\.example|192\.0\.2\.1"):
            reach()
        assert reached in (["stratum.example"], [OUTSIDE])


def test_a_scrape_that_takes_every_exception_for_data_is_still_written_down() -> None:
    def scrape() -> None:
        try:
            socket.getaddrinfo("stratum.example", 80)
        except BaseException:  # noqa: BLE001
            return

    with only_loopback() as reached:
        thread = threading.Thread(target=scrape)
        thread.start()
        thread.join()
    assert reached == ["stratum.example"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", None])
def test_loopback_may_be_looked_up(host: str | None) -> None:
    with only_loopback() as reached:
        assert socket.getaddrinfo(host, 80)
    assert reached == []


def test_loopback_may_be_called() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, only_loopback() as reached:
        socket.create_connection(server.getsockname()).close()
    assert reached == []
