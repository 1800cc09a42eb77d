"""Turn any exception of a reader into an error that names the file and says what to do."""

import errno
import re
import resource
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from tamrl.errors import InputError, MachineError, TamrlError

MACHINE = {
    errno.EMFILE: "close other programs, or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, or raise the limit of open files of the system",
    errno.ENOMEM: "give the job more memory (ulimit -v, or mem_mb on a cluster), or let fewer tiles or jobs run at a time",
    errno.ENOSPC: "free space on the disk",
    errno.EDQUOT: "free space within the quota",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f), or choose another file system",
    errno.EROFS: "choose a folder that can be written",
    errno.EIO: "check the disk or the network drive, then try again",
    errno.ESTALE: "the network drive has lost the file: try again",
    errno.ETIMEDOUT: "the network drive does not answer: try again",
    errno.ENOLCK: "the file system grants no locks: try again, or choose another file system",
}
"""What to do about error numbers that concern the machine or its file system, not the file."""

_MEMORY = re.compile(r"bad_alloc|not enough memory|out of memory|malloc fail|(can't|cannot|unable to) (re)?allocate", re.I)
_THREADS = re.compile(r"can't start new thread|thread creation failed|pthread_create", re.I)
_MORE_THREADS = "raise the limits of memory and of processes (ulimit -v, ulimit -u), or use fewer threads"


@contextmanager
def reading(asked: str, *, where: object, todo: str | None = None, error: type[TamrlError] = InputError) -> Iterator[None]:
    """Run the block and turn its exceptions into named errors.

    A `TamrlError` of the block passes unchanged. Raise `MachineError` if the operating system refuses for a reason outside the
    file (`MACHINE`), else `error`, with the exception as its cause.

    Parameters
    ----------
    asked : message of the error, such as "the metadata table cannot be read"
    where : the file, with its member, line or field if known
    todo : what the user can do if the file itself is wrong
    error : kind of the error for a file that is wrong
    """
    try:
        yield
    except TamrlError:
        raise
    except Exception as reason:
        raise _named(reason, asked, where, todo, error) from reason


def machine_fault(reason: BaseException | None, asked: str, *, where: object, but: Collection[int] = ()) -> MachineError | None:
    """Return the error of the machine behind an exception or its causes; None if the machine is not to blame.

    Libraries and readers wrap the message of the operating system, so that "too many open files" may look like a bad file.

    Parameters
    ----------
    asked, where : parts of the error (`TamrlError`)
    but : error numbers that do not count
    """
    while reason is not None:
        number = reason.errno if isinstance(reason, OSError) else None
        text = str(reason) if isinstance(reason, (RuntimeError, ImportError)) else ""
        if isinstance(reason, MemoryError) or number == errno.ENOMEM or _MEMORY.search(text):
            message = f"{str(reason) or 'not enough memory'}; {memory_use()}"
            return MachineError(asked, where=where, found=message, todo=MACHINE[errno.ENOMEM])
        if _THREADS.search(text) or (isinstance(reason, BlockingIOError) and reason.filename is None):
            return MachineError(asked, where=where, found=f"{reason}; {memory_use()}", todo=_MORE_THREADS)
        if isinstance(reason, OSError) and number in MACHINE and number not in but:
            message = f"{reason.strerror} ({errno.errorcode[number]})"
            return MachineError(asked, where=where, found=message, todo=MACHINE[number])
        reason = reason.__cause__ or reason.__context__
    return None


@contextmanager
def naming_machine_faults(name: str) -> Iterator[None]:
    """Decorate the stage `name`: failures of the machine (memory, threads, files) become errors that name the stage."""
    try:
        yield
    except TamrlError:
        raise
    except Exception as reason:
        if refusal := machine_fault(reason, f"the machine does not let {name} go on", where=name):
            raise refusal from reason
        raise


def memory_use() -> str:
    """Return, as text, the most memory that this process has used and its limit."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    allowed = "" if limit == resource.RLIM_INFINITY else f", and may have {limit / 1024**2:.0f} MiB of addresses (ulimit -v)"
    return f"the process has had {most:.0f} MiB{allowed}"


def _named(reason: Exception, asked: str, where: object, todo: str | None, error: type[TamrlError]) -> TamrlError:
    if refusal := machine_fault(reason, asked, where=where):
        return refusal
    number = reason.errno if isinstance(reason, OSError) else None
    if number == errno.ENOENT:
        return error(asked, where=where, found="no such file", todo="check the path")
    if isinstance(reason, OSError) and number in (errno.EACCES, errno.EPERM):
        return error(asked, where=where, found=reason.strerror, todo="give yourself the right to read it")
    return error(asked, where=where, found=f"{type(reason).__name__}: {reason}".removesuffix(": "), todo=todo)
