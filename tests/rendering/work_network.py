"""Sockets of all sorts, on the loopback device and between network namespaces of our own."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from tests.rendering.kernel_calls import call, in_child, run

_MPTCP = 262


def _talk(family: int, address: tuple[str, int], protocol: int = 0) -> None:
    """A connection, some data both ways, and its end."""
    with socket.socket(family, socket.SOCK_STREAM, protocol) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(1)
        with socket.socket(family, socket.SOCK_STREAM, protocol) as client:
            client.connect(server.getsockname())
            peer, _ = server.accept()
            for _ in range(20):
                client.sendall(b"x" * 3000)
                peer.recv(65536)
                peer.send(b"y")
                client.recv(10)
            client.sendall(b"z" * 200000)
            received = 0
            while received < 200000:
                received += len(peer.recv(1 << 20))
            client.shutdown(socket.SHUT_WR)
            peer.recv(1)
            peer.close()


def streams(_folder: Path) -> None:
    _talk(socket.AF_INET, ("127.0.0.1", 0))
    _talk(socket.AF_INET6, ("::1", 0))
    with suppress(OSError):
        _talk(socket.AF_INET, ("127.0.0.1", 0), _MPTCP)
    with suppress(OSError):
        _talk(socket.AF_INET6, ("::1", 0), _MPTCP)


def refusals(_folder: Path) -> None:
    """No listener, a reset, a full queue of connections."""
    with socket.socket() as client, suppress(ConnectionRefusedError):
        client.connect(("127.0.0.1", 9))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        one = socket.create_connection(server.getsockname())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        time.sleep(0.05)
        for each in waiting:
            each.close()


def signed(_folder: Path) -> None:
    """Connections that one side signs (TCP MD5) and the other doesn't, or with another key."""
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        peer = struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton("127.0.0.1"))
        md5 = peer + struct.pack("=BBHI80s", 0, 0, 5, 0, b"tpkit")
        server.setsockopt(socket.IPPROTO_TCP, 14, md5)
        client.settimeout(0.05)
        with suppress(OSError):
            client.connect(server.getsockname())
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client.setsockopt(socket.IPPROTO_TCP, 14, md5)
        client.settimeout(0.05)
        with suppress(OSError):
            client.connect(server.getsockname())
    other = md5[:-80] + b"other".ljust(80, b"\0")
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        server.setsockopt(socket.IPPROTO_TCP, 14, md5)
        client.setsockopt(socket.IPPROTO_TCP, 14, other)
        client.settimeout(0.05)
        with suppress(OSError):
            client.connect(server.getsockname())


def datagrams(_folder: Path) -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
            one.bind((host, 0))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            other.connect(one.getsockname())
            for _ in range(20):
                other.send(b"x" * 500)
            one.recvfrom(1000)
            other.sendmsg([b"a", b"b"])
            one.recvmsg(1000)
            with suppress(OSError):
                other.sendto(b"x", (host, 9))
                other.recv(10, socket.MSG_DONTWAIT)
        with socket.socket(family, socket.SOCK_DGRAM) as lost:
            lost.connect((host, 9))
            for _ in range(2):
                with suppress(OSError):
                    lost.send(b"nobody listens")


def local_sockets(_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("tpkit-socket")
        server.listen()
        client.connect("tpkit-socket")
        peer, _ = server.accept()
        socket.send_fds(client, [b"fd"], [0])
        socket.recv_fds(peer, 10, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        peer.close()
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.send(b"x")
    select.select([other], [], [], 1)
    other.getpeername()


def virtual_machine_sockets(_folder: Path) -> None:
    """Only ever to ourselves: CID 1 is the machine's own loopback."""
    with socket.socket(socket.AF_VSOCK) as server, socket.socket(socket.AF_VSOCK) as client:
        server.bind((1, 77077))
        server.listen()
        client.settimeout(1)
        client.connect((1, 77077))


def raw_sockets(_folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ping:
        ping.sendto(struct.pack(">BBHHH", 8, 0, 0xF7FD, 1, 1), ("127.0.0.1", 0))
        ping.settimeout(0.5)
        ping.recv(100)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets:
        packets.bind(("lo", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9999))
        packets.recv(100)


def full_queues(_folder: Path) -> None:
    """Sockets that nobody reads from."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(10):
                sender.sendto(b"x" * 1000, ("127.0.0.1", 9999))


def wrong_requests(_folder: Path) -> None:
    """Requests over netlink that the kernel refuses with a reason."""
    for request in (
        ("ip", "route", "add", "10.78.0.0/16", "via", "10.99.0.1"),
        ("ip", "link", "add", "tpkit-long-name0", "type", "veth"),
        ("ip", "addr", "add", "127.0.0.1/8", "dev", "lo"),
        ("tc", "qdisc", "add", "dev", "lo", "root", "nosuchqdisc"),
        ("ip", "rule", "add", "from", "10.77.0.0/16", "table", "0"),
    ):
        with suppress(Exception):
            run(*request)


def neighbours(_folder: Path) -> None:
    """Two namespaces, a pair of devices between them, and traffic over it."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    call("unshare", 0x40000000)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "tpkn0", "type", "veth", "peer", "name", "tpkn1")
    other = os.fork()
    if other == 0:
        call("unshare", 0x40000000)
        time.sleep(6)
        os._exit(0)
    time.sleep(0.1)
    run("ip", "link", "set", "tpkn1", "netns", str(other))
    run("ip", "addr", "add", "10.77.1.1/24", "dev", "tpkn0")
    run("ip", "addr", "add", "fd77::1/64", "dev", "tpkn0", "nodad")
    run("ip", "link", "set", "tpkn0", "up")
    handle = os.open(f"/proc/{other}/ns/net", os.O_RDONLY)
    mine = os.open("/proc/self/ns/net", os.O_RDONLY)
    call("setns", handle, 0)
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", "10.77.1.2/24", "dev", "tpkn1")
    run("ip", "addr", "add", "fd77::2/64", "dev", "tpkn1", "nodad")
    run("ip", "link", "set", "tpkn1", "up")
    server = socket.socket()
    server.bind(("10.77.1.2", 7777))
    server.listen()
    call("setns", mine, 0)
    with socket.create_connection(("10.77.1.2", 7777), timeout=3) as client:
        peer, _ = server.accept()
        client.sendall(b"x" * 100000)
        received = 0
        while received < 100000:
            received += len(peer.recv(1 << 20))
        # A route that drops makes the sender send again.
        run("tc", "qdisc", "add", "dev", "tpkn0", "root", "pfifo", "limit", "1")
        client.sendall(b"y" * 30000)
        run("ip", "link", "set", "tpkn0", "down")
        client.send(b"nobody hears")
        end = time.monotonic() + 0.7
        while time.monotonic() < end:  # so that the timer finds us on the CPU
            pass
    run("ip", "link", "set", "tpkn0", "up")
    for target in ("10.77.1.2", "10.77.1.200"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"x", (target, 9))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one, suppress(OSError):
        one.sendto(b"x", ("fd77::2", 9))
    with suppress(Exception):
        run("ip", "neigh", "replace", "10.77.1.77", "lladdr", "02:00:00:00:00:77", "dev", "tpkn0")
        run("ip", "neigh", "del", "10.77.1.77", "dev", "tpkn0")
        run("ip", "neigh", "flush", "dev", "tpkn0")
    os.kill(other, 9)
    os.waitpid(other, 0)
    call("setns", here, 0)


def bridge(_folder: Path) -> None:
    run("ip", "link", "add", "tpkbr", "type", "bridge", "mcast_snooping", "1")
    run("ip", "link", "add", "tpkb0", "type", "veth", "peer", "name", "tpkb1")
    run("ip", "link", "set", "tpkb0", "master", "tpkbr")
    for device in ("tpkbr", "tpkb0", "tpkb1"):
        run("ip", "link", "set", device, "up")
    run("ip", "addr", "add", "10.77.2.1/24", "dev", "tpkbr")
    run("bridge", "fdb", "add", "02:00:00:00:00:01", "dev", "tpkb0", "master", "static")
    run("bridge", "fdb", "add", "02:00:00:00:00:02", "dev", "tpkb0", "master", "extern_learn")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("tpkb1", 0))
        for last in range(1, 6):
            sender.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 1, last]) + b"\x08\x06" + bytes(46))
    run("bridge", "fdb", "del", "02:00:00:00:00:01", "dev", "tpkb0", "master")
    with suppress(Exception):
        run("bridge", "mdb", "add", "dev", "tpkbr", "port", "tpkb0", "grp", "239.1.1.1", "permanent")
        run("ip", "link", "set", "tpkbr", "type", "bridge", "mcast_hash_max", "1")
        run("bridge", "mdb", "add", "dev", "tpkbr", "port", "tpkb0", "grp", "239.1.1.2", "permanent")
    run("ip", "link", "del", "tpkbr")
    run("ip", "link", "del", "tpkb0")


def queueing(_folder: Path) -> None:
    run("ip", "link", "add", "tpkq0", "type", "veth", "peer", "name", "tpkq1")
    run("ip", "addr", "add", "10.77.3.1/24", "dev", "tpkq0")
    run("ip", "link", "set", "tpkq0", "up")
    run("ip", "link", "set", "tpkq1", "up")
    for discipline in (("pfifo",), ("fq_codel",), ("tbf", "rate", "1mbit", "burst", "5kb", "limit", "10kb"), ("prio",)):
        with suppress(Exception):
            run("tc", "qdisc", "replace", "dev", "tpkq0", "root", *discipline)
            in_child(_shout)
    with suppress(Exception):
        run("tc", "qdisc", "del", "dev", "tpkq0", "root")
    with suppress(Exception):
        run("ip", "link", "add", "tpkd", "type", "dummy")
        run("ip", "link", "set", "tpkd", "up")
        run("ip", "link", "del", "tpkd")
    run("ip", "link", "del", "tpkq0")


def _shout() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for _ in range(10):
            one.sendto(b"x" * 1000, ("10.77.3.255", 9))


STEPS = (
    streams, refusals, signed, datagrams, local_sockets, virtual_machine_sockets, raw_sockets, full_queues,
    wrong_requests,
    neighbours, bridge, queueing,
)  # fmt: skip
