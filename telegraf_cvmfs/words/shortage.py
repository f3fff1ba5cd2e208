"""What this process itself lacked: files, memory or threads. That is no server's fault, and the operator's to mend."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator

_MEMORY = "this process gets no more memory: raise ulimit -v (Telegraf's unit: MemoryMax=), or give the machine more"

_OF_THE_LOADER = {
    "Too many open files": errno.EMFILE,
    "Cannot allocate memory": errno.ENOMEM,
    "failed to map segment": errno.ENOMEM,
}


def shortage(error: BaseException | None) -> str:
    """What the system refused this process, where that is what an error comes from: the limit, and how to raise it.

    Empty for any other error.
    """
    return next(filter(None, map(_of, _chain(error))), "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _of(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, ImportError):  # of the loader of shared libraries there are words alone
        return next((of_errno(number) for words, number in _OF_THE_LOADER.items() if words in str(error)), "")
    return of_errno(error.errno or 0) if isinstance(error, OSError) else ""


def of_errno(number: int) -> str:
    """What a number of `errno` says that this process lacks; empty for any other."""
    match number:
        case errno.EMFILE:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            return (
                f"this process may have no more than {most} files open: raise ulimit -n (Telegraf's unit: LimitNOFILE=)"
            )
        case errno.ENFILE:
            return "this machine has no more files to open: raise fs.file-max (sysctl)"
        case errno.ENOMEM | errno.ENOBUFS:
            return _MEMORY
        case errno.EAGAIN:
            return "this process gets no more threads: raise ulimit -u (Telegraf's unit: TasksMax=, LimitNPROC=) and -v"
    return ""
