"""What the child gives up before it runs the submission: memory, time, processes, signals, sockets."""

import ctypes
import os
import platform
import resource
import struct
import sys

OPEN_FILES, FILE_SIZE = 64, 64 << 20

_DENIED = {
    # New processes and programs; other namespaces
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    # Reaching into other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "tkill": (200, 130),
    # Memory that the limit does not count, and that may outlast the process
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "memfd_create": (319, 279),
    # Keys, which every process of a login shares
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Parts of the kernel that no layer needs
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "mount_setattr": (442, 442),
    "move_mount": (429, 429), "fsopen": (430, 430), "open_tree": (428, 428),
    # Limits and priorities, its own and others'
    "setrlimit": (160, 164), "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    # The network, and the way around a filter of system calls
    "socket": (41, 198), "io_uring_setup": (425, 425),
}  # fmt: skip
"""Numbers of the system calls refused, of x86-64 and of AArch64."""

_KILL, _TGKILL, _PRLIMIT, _CLONE, _CLONE3 = (62, 129), (234, 131), (302, 261), (56, 220), (435, 435)
_OWNER = {(72, 25): (8, 10, 15), (16, 29): (0x8901, 0x8902)}
"""Commands of fcntl and ioctl that have the kernel signal a process when a file can be read."""

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CLONE_THREAD = 0x10000
_ALLOW, _REFUSE, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06


def confine(memory: int, seconds: int, threads: int) -> list[str]:
    """Limit this process for good, and return the names of the limits that do not hold here.

    memory   bytes of address space
    seconds  of processor time
    threads  of the user (in a sandbox, of this process); root is not held to it
    """
    missing = []
    wanted = {
        "memory": ("RLIMIT_AS", memory),
        "processor time": ("RLIMIT_CPU", seconds),
        "file size": ("RLIMIT_FSIZE", FILE_SIZE),
        "open files": ("RLIMIT_NOFILE", OPEN_FILES),
        "core dumps": ("RLIMIT_CORE", 0),
        "threads": ("RLIMIT_NPROC", threads),
    }
    for name, (limit, value) in wanted.items():
        try:
            resource.setrlimit(getattr(resource, limit), (value, value))
        except (AttributeError, OSError, ValueError):  # not on this system, or lower already
            missing.append(name)
    if sys.platform == "linux":
        end_with_parent()
    if sys.platform != "linux" or not _filter(_libc()):
        missing.append("processes, signals and sockets")
    return missing


def end_with_parent() -> None:
    """Have this process killed when its parent ends, whatever ends that. On Linux only; elsewhere nothing happens."""
    if sys.platform == "linux":
        _libc().prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return libc


def _filter(libc: ctypes.CDLL) -> bool:
    """Refuse system calls by a seccomp filter; return whether it is in force."""
    machine, audit = _ARCHITECTURES.get(platform.machine(), (0, 0))
    if not audit or sys.byteorder != "little":
        return False
    own = os.getpid()

    def op(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, k)

    def refuse(error: int) -> bytes:
        return op(_RETURN, _REFUSE | error)

    def argument(at: int) -> bytes:
        return op(_LOAD, 16 + 8 * at)  # of struct seccomp_data: the low half of args[at]

    allow, number = op(_RETURN, _ALLOW), op(_LOAD, 0)
    program = [op(_LOAD, 4), op(_EQUAL, audit, yes=1), op(_RETURN, _KILL_PROCESS), number]
    if machine == 0:  # the x32 calls, whose numbers are others
        program += [op(_AT_LEAST, 0x40000000, no=1), refuse(_EPERM)]
    for numbers in _DENIED.values():
        if (denied := numbers[machine]) is not None:
            program += [op(_EQUAL, denied, no=1), refuse(_EPERM)]
    program += [op(_EQUAL, _CLONE3[machine], no=1), refuse(_ENOSYS)]  # then the C library takes clone
    program += [op(_EQUAL, _CLONE[machine], no=4), argument(0), op(_ANY_BIT, _CLONE_THREAD, yes=1), refuse(_EPERM),
                allow]  # fmt: skip
    # Limits may be asked for, and not set.
    program += [op(_EQUAL, _PRLIMIT[machine], no=4), argument(2), op(_EQUAL, 0, no=1), allow, refuse(_EPERM)]
    for call, commands in _OWNER.items():
        checks = [line for command in commands for line in (op(_EQUAL, command, no=1), refuse(_EPERM))]
        program += [op(_EQUAL, call[machine], no=len(checks) + 2), argument(1), *checks, allow]
    for call in (_KILL, _TGKILL):  # to itself only
        program += [op(_EQUAL, call[machine], no=5), argument(0), op(_EQUAL, own, yes=2),
                    op(_EQUAL, 0, yes=1), refuse(_EPERM), allow]  # fmt: skip
    code = b"".join([*program, allow])

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    described = Program(len(code) // 8, code)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0):
        return False
    return bool(libc.prctl(set_seccomp, filter_mode, ctypes.addressof(described), 0, 0) == 0)
