"""Senders and the network: F25 to F36."""

import collections
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import socket
import statistics
import struct
import time

import harness
from harness import connect, message
from lab import Load, borrow, command, row, skip

OPEN = "max_connections: 11000\nmax_connections_per_source: 11000\n"


@row("F25", "UDP burst beyond the buffer",
     "sent - spooled = reported drops, exactly", times=(None, 1, 1))
def f25(lab, _):
    sepmlogd = lab.idle("burst", config="receive_buffer: 64KiB\n")
    sepmlogd.start()
    harness.send_udp(sepmlogd.port, "u", 500_000)
    sepmlogd.stop_cleanly()
    drops = lab.assert_udp_counted(sepmlogd, sepmlogd.spool.numbers(),
                                   {"u": 500_000})
    lab.assertGreater(drops, 0, "the burst was no overload")
    return f"500000 sent, {drops} dropped = counted"


@row("F26", "packet loss: 20 % of UDP, 5 % of TCP",
     "spooled UDP = received by the kernel; TCP 0 lost",
     times=(None, 1, 1), seconds=180)
def f26(lab, _):
    harness.need("nft")
    sepmlogd = lab.idle("lossy").start()
    if os.getpid() > 2:
        skip("no network namespace of its own")
    rules = (f"add table ip loss; add chain ip loss in {{ type filter hook "
             f"input priority 0; }}; add rule ip loss in udp dport "
             f"{sepmlogd.port} numgen random mod 100 < 20 counter drop; add "
             f"rule ip loss in tcp dport {sepmlogd.port} numgen random mod "
             "100 < 5 counter drop")
    try:
        command("nft", rules)
    except OSError as error:
        skip(f"no nftables here: {error}")
    with Load(sepmlogd, rate=1000) as load:
        time.sleep(5)
    udp, tcp = [int(n) for n in re.findall(
        r"counter packets (\d+)", command("nft", "list", "ruleset"))]
    sepmlogd.stop_cleanly()
    found = sepmlogd.spool.numbers()
    lab.assert_complete(found, load.sent_tcp)
    sent = sum(load.sent_udp.values())
    stored = sum(len(found[s]) for s in load.sent_udp)
    lab.assertEqual(stored, sent - udp
                    - sepmlogd.counters()["dropped by the kernel"])
    lab.assertGreater(udp, 0)
    lab.assertGreater(tcp, 0)
    return (f"UDP {sent} sent, {udp} lost on the way, {stored} stored; "
            f"TCP {tcp} packets lost, 0 of {sum(load.sent_tcp.values())} "
            "messages")


@row("F27", "segmentation at every byte", "output identical to uncut, 100 %",
     times=(None, 1, 1))
def f27(lab, _times):
    return "; ".join((
        samples_cut(lab),
        borrow("framing.py", "Framing.test_cut_at_every_byte",
               "Framing.test_one_byte_per_segment")))


def samples_cut(lab):
    """Each sample, in both framings, over so many connections that each cuts
    it at another byte, and what is before the cut was read before the rest is
    sent; beside a daemon that gets it whole."""
    count = cuts = total = 0
    for path in sorted(glob.glob(os.path.join(
            harness.ROOT, "tests/data/samples/*.log"))):
        lines = harness.read_file(path).split(b"\n")[:-1]
        count += len(lines)
        for frames in ([line + b"\n" for line in lines],
                       [harness.counted(line) for line in lines]):
            positions = range(1, max(map(len, frames)))
            found = stored_of(lab, frames, positions)
            whole = stored_of(lab, frames, [0])
            lab.assertGreater(len(whole), 0, path)
            lab.assertEqual(found, {record: times * len(positions)
                                    for record, times in whole.items()}, path)
            cuts += sum(len(frame) - 1 for frame in frames)
            total += sum(found.values())
    lab.assertGreater(count, 100)
    return (f"{count} samples, as lines and counted: {cuts} cuts, all of "
            f"{total} records as uncut")


def stored_of(lab, frames, positions):
    """What became of the frames, and how often, but for what no two records
    have in common."""
    shutil.rmtree(os.path.join(lab.directory, "cut"), ignore_errors=True)
    sepmlogd = lab.idle("cut", config=OPEN).start()
    with contextlib.ExitStack() as stack:
        peers = [(at, stack.enter_context(connect(sepmlogd.port)))
                 for at in positions]
        for frame in frames:
            for piece in (lambda at: frame[:at], lambda at: frame[at:]):
                for at, peer in peers:
                    peer.sendall(piece(at))
                harness.wait_until(lambda: all_read(sepmlogd.port),
                                   "all is read", pause=0.001)
    sepmlogd.stop_cleanly()
    found = collections.Counter()
    for record in sepmlogd.spool.records():
        for key in ("id", "received"):
            del record[key]
        found[json.dumps(record)] += 1
    return found


def all_read(port):
    """No connection to it has bytes that wait."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return not any(row[1].endswith(f":{port:04X}") and row[3] == "01"
                   and not row[4].endswith(":00000000") for row in rows)


def many(port, count, first=b""):
    """Opens so many connections, from several sources."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] < count + 100:
        skip(f"only {limit[1]} descriptors, needs {count + 100}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    peers = []
    for _ in range(count):
        peers.append(connect(port, timeout=30))
        if first:
            peers[-1].sendall(first)
    return peers


@row("F28", "slow loris: 1,000 connections, 1 byte in 10 s",
     "honest throughput >= 90 % of the baseline; closed at 60 +-5 s of an "
     "unfinished frame; RSS + <= 16 MiB", times=(None, 1, 1), seconds=240)
def f28(lab, _):
    sepmlogd = lab.idle("loris", config=OPEN).start()
    honest(sepmlogd.port, "w")
    alone = [honest(sepmlogd.port, f"b{n}") for n in range(5)]
    memory = sepmlogd.memory()
    start = time.monotonic()
    peers = many(sepmlogd.port, 1000, b"<")
    made = time.monotonic() - start
    rates, closed, first, byte = [], 0, None, start
    while closed < len(peers) and time.monotonic() - start < 90:
        if time.monotonic() >= byte:
            byte += 10
            feed(peers)
            if len(rates) < 9:
                rates += [honest(sepmlogd.port, f"h{len(rates) + n}")
                          for n in range(3)]
                grown = lab.check_memory(sepmlogd, memory, 16, "RSS")
        time.sleep(0.5)
        closed = sum(harness.is_closed(peer, 0) for peer in peers)
        if closed and first is None:
            first = time.monotonic() - start
    last = time.monotonic() - start
    for peer in peers:
        peer.close()
    # Before and after, as the machine's own speed drifts.
    alone += [honest(sepmlogd.port, f"a{n}") for n in range(4)]
    share = statistics.median(rates) / statistics.median(alone)
    said = (f"{closed} of {len(peers)} closed after {first or 0:.0f} to "
            f"{last:.0f} s; honest {share * 100:.0f} % of the baseline "
            f"(medians of 9); RSS {grown:+.1f} MiB")
    lab.assertEqual(closed, len(peers), said)
    lab.assertTrue(55 <= first and last - made <= 65, said)
    lab.assertGreaterEqual(share, 0.9, said)
    sepmlogd.stop_cleanly()
    return said


def feed(peers):
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.send(b"1")


def honest(port, sender, count=200_000):
    start = time.monotonic()
    harness.send_tcp(port, sender, count)
    return count / (time.monotonic() - start)


@row("F29", "10,000 idle TCP connections",
     "RSS + <= 40 MiB (<= 4 KiB each); all accepted <= 5 s; honest p99 <= "
     "50 ms", times=(1, 1, 1))
def f29(lab, _):
    sepmlogd = lab.idle("idle", config=OPEN).start()
    harness.send_tcp(sepmlogd.port, "w", 1000)
    sepmlogd.spool.wait_records(1000)
    memory, files = sepmlogd.memory(), sepmlogd.open_files()
    start = time.monotonic()
    peers = many(sepmlogd.port, 10_000)
    harness.wait_until(lambda: sepmlogd.open_files() >= files + 10_000,
                       "all are accepted", timeout=30)
    accepted = time.monotonic() - start
    grown = (sepmlogd.memory() - memory) / (1 << 20)
    late = sorted(delay(sepmlogd, n) for n in range(100))[98]
    for peer in peers:
        peer.close()
    harness.wait_until(lambda: sepmlogd.open_files() <= files,
                       "all are closed again")
    sepmlogd.stop_cleanly()
    said = (f"RSS +{grown:.1f} MiB, accepted in {accepted:.1f} s, stored "
            f"after {late * 1000:.0f} ms p99")
    lab.assertLessEqual(grown, 40, said)
    lab.assertLessEqual(accepted, 5.0, said)
    lab.assertLessEqual(late, 0.05, said)
    return said


def delay(sepmlogd, n):
    """Seconds from a connect until its message stands in a live file."""
    path = sepmlogd.spool.live("traffic")[-1]
    before = os.path.getsize(path)
    start = time.monotonic()
    with connect(sepmlogd.port) as peer:
        peer.sendall(message("d", n) + b"\n")
        harness.wait_until(lambda: os.path.getsize(path) > before,
                           "it is stored", pause=0.001)
    return time.monotonic() - start


@row("F30", "churn: 1,000 connects a second, half end with RST",
     "descriptors at the baseline +-0 after 5 s; all data before FIN stored",
     times=(3, 10, 60), seconds=120)
def f30(lab, seconds):
    sepmlogd = lab.idle("churn", config=OPEN).start()
    harness.send_tcp(sepmlogd.port, "w", 10)
    sepmlogd.spool.wait_records(10)
    files = sepmlogd.open_files()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(
            lambda k: churn(sepmlogd.port, "abcd"[k], seconds), range(4)))
    harness.wait_until(lambda: sepmlogd.open_files() <= files,
                       "descriptors are at the baseline", timeout=5)
    lab.assertEqual(sepmlogd.open_files(), files)
    found = harness.wait_until(
        lambda: ended_well(sepmlogd.spool.numbers(), counts),
        "all before an orderly end is stored")
    sepmlogd.stop_cleanly()
    total = sum(counts)
    said = f"{total} connections in {seconds} s, 0 of {found} messages lost"
    if total < 900 * seconds:
        said += f"; only {total / seconds:.0f} a second on this machine"
    return said


def churn(port, sender, seconds):
    """A quarter of the connects; the odd ones are reset."""
    start = time.monotonic()
    n = 0
    while time.monotonic() - start < seconds:
        with connect(port) as peer:
            peer.sendall(message(sender, n) + b"\n")
            if n % 2:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
            elif n % 4 == 0:
                peer.shutdown(socket.SHUT_WR)
        n += 1
        ahead = start + n / 250 - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    return n


def ended_well(found, counts):
    """How many messages were sent before a FIN, once all are stored."""
    wanted = [(sender, n) for sender, count in zip("abcd", counts)
              for n in range(0, count, 2)]
    return all(n in found[s] for s, n in wanted) and len(wanted)


@row("F31", "no descriptors: RLIMIT_NOFILE 64",
     "CPU <= 10 %; existing connections served; accepts again <= 2 s after "
     "some are free, one behind 100 that have closed is served <= 7 s; the "
     "spool keeps its own", times=(None, 1, 1))
def f31(lab, _):
    sepmlogd = lab.idle("few", descriptors=64).start()
    first = lab.enterContext(connect(sepmlogd.port))
    crowd = [connect(sepmlogd.port, f"127.0.0.{3 + n % 4}")
             for n in range(120)]
    time.sleep(0.5)
    share = sepmlogd.cpu_share(3.0)
    for n in range(50):
        first.sendall(message("f", n) + b"\n")
    sepmlogd.spool.wait_records(50)
    sepmlogd.signal(harness.signal.SIGUSR1)
    harness.wait_until(sepmlogd.spool.ready, "a file is published")
    for peer in crowd:
        peer.close()
    start = time.monotonic()
    with connect(sepmlogd.port) as late:
        late.sendall(message("g", 0) + b"\n")
        sepmlogd.wait_log("accepting again")
        again = time.monotonic() - start
        # Before it in the backlog are those that have closed meanwhile; 20
        # of them are taken each second.
        harness.wait_until(lambda: sepmlogd.spool.numbers()["g"],
                           "the last in the backlog is served")
        served = time.monotonic() - start
    sepmlogd.stop_cleanly()
    said = (f"CPU {share * 100:.1f} %, 50 of 50 stored and published, accepts "
            f"again after {again:.2f} s, serves one behind 100 that closed "
            f"after {served:.1f} s")
    lab.assertLessEqual(share, 0.10, said)
    lab.assertLessEqual(again, 2.0, said)
    lab.assertLessEqual(served, 7.0, said)
    return said


@row("F32", "connection limits",
     "excess closed at once, counted; other sources unaffected",
     times=(None, 1, 1))
def f32(_lab, _times):
    return borrow("limits.py", "Limits.test_limit_of_connections_in_all",
                  "Limits.test_limit_of_connections_per_source")


def tls(*cases):
    """The classes of that script are its own business."""
    path = os.path.join(harness.ROOT, "tests/system/tls.py")
    names, found = [], None
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("(")[0].split()
            if line.startswith("class "):
                found = words[1]
            elif len(words) == 2 and words[1] in cases:
                names.append(f"{found}.{words[1]}")
    if len(names) != len(cases):
        skip(f"not built: tls.py has not all of {', '.join(cases)}")
    return borrow("tls.py", *names)


@row("F33", "peer stops inside a TLS record",
     "CPU <= 1 % over 5 s; others 0 lost; closed after frame_timeout",
     times=(None, 1, 1))
def f33(_lab, _times):
    return tls("test_a_peer_that_stops_inside_a_record",
               "test_a_record_that_is_not_finished",
               "test_a_message_that_is_not_finished",
               "test_a_slow_peer_that_finishes_its_records")


@row("F34", "255 stalled handshakes, plain text and 16 MiB of junk to TLS, "
     "TLS to plain, renegotiation",
     "closed <= 12 s (handshake_timeout of 10 s, and a look each second); "
     "honest handshake p99 <= 200 ms; one log line a source and minute",
     times=(None, 1, 1), seconds=300)
def f34(_lab, _times):
    return tls("test_stalled_handshakes", "test_too_many_handshakes",
               "test_other_talk", "test_tls_to_the_plain_port",
               "test_renegotiation")


@row("F35", "bad peers, of twelve kinds",
     "12 of 12 refused, 0 records stored, reason and peer logged; a good one "
     "beside them 0 lost", times=(None, 1, 1), seconds=300)
def f35(_lab, _times):
    return tls("test_twelve_bad_peers")


@row("F36", "source not allowed",
     "TCP closed before a byte is read; UDP dropped and counted; 0 stored",
     times=(None, 1, 1))
def f36(_lab, _times):
    return borrow("limits.py", "Limits.test_only_the_allowed_are_heard",
                  "Limits.test_allow_takes_ranges_and_mapped_addresses")
