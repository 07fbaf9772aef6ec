"""The results as Markdown."""

from statistics import median

FLOOR = "write"
NONE = "–"


def scenario_title(transport, sockets, framing):
    return (f"{transport.upper()}, {sockets} connection{'s' if sockets > 1 else ''}, "
            f"{'octet counted' if framing == 'counted' else 'lines'}")


def markdown(records):
    parts = [_conditions(records), _checks(_of(records, "check")),
             "## What we want, and where that is\n\n" + _wanted(records)]
    streams = _of(records, "stream")
    for scenario in dict.fromkeys(_scenario(r) for r in streams):
        parts.append(f"## {scenario_title(*scenario)}\n\n" + _streams(
            [r for r in streams if _scenario(r) == scenario]))
    if _of(records, "udp"):
        parts.append(
            "## UDP, highest rate without loss\n\n"
            "The highest of a ladder of rates, in each round, at which "
            "nothing is lost and nothing queues up; ≥ where the sender could "
            "do no more. It hands up to 64 datagrams to the kernel at once "
            "(UDP_SEGMENT).\n\n"
            + _udp(_of(records, "udp")))
    return "\n\n".join(parts)


def _scenario(run):
    return run["transport"], run["sockets"], run["framing"]


def _of(records, kind):
    return [r for r in records if r["kind"] == kind]


def _rows(head, rows):
    """A table whose first column is text."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)] + rows
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _by_receiver(runs):
    """Each receiver's runs, by their round."""
    receivers = {}
    for run in runs:
        receivers.setdefault(run["receiver"], {})[run["round"]] = run
    return receivers


def _title(rounds):
    return next(iter(rounds.values()))["title"]


def _values(rounds, name):
    return [run[name] for run in rounds.values()]


def _round(number):
    """Three digits say all that these measurements are good for."""
    digits = 3 - len(str(int(number)))
    return f"{round(number, digits):,.0f}"


def _spread(values):
    return (f"{_round(median(values))} "
            f"({_round(min(values))}–{_round(max(values))})")


# --- conditions and checks ---------------------------------------------------

def _conditions(records):
    [machine] = _of(records, "machine")
    versions = ", ".join(dict.fromkeys(
        f"{r['title'].split(',')[0]} {r['version']}"
        for r in _of(records, "check")))
    runs = _of(records, "stream") + _of(records, "rung")
    noisy = sum(run["others"] > machine["others"] for run in runs)
    return (
        f"{machine['processors']}, {machine['memory'] / 2**30:.0f} GiB, "
        f"{machine['system']}, {machine['kernel']}, "
        f"{machine['file_system']}; {machine['date']}; "
        f"`{machine['command']}`\n\n"
        f"{versions}\n\n"
        f"Medians of {machine['rounds']} interleaved rounds, lowest and "
        "highest in brackets; ratios are medians of the rounds' ratios. The "
        "sender has its part of the same processors. During "
        f"{noisy} of {len(runs)} runs other work took more than "
        f"{machine['others']} processors.")


def _checks(checks):
    rows = [[f"{r['title']}",
             f"{r['messages']:,}", f"{r['wrong']:,}", f"{r['lost']:,}",
             f"{r['repeated']:,}"] for r in checks]
    text = "## Is the output right?\n\n" + _rows(
        ["every message once, each value compared", "messages", "wrong lines",
         "missing", "twice"], rows)
    for check in checks:
        for problem in check["problems"]:
            text += f"\n\n{check['title']}: {problem}"
    return text


# --- TCP and TLS -------------------------------------------------------------

def _best_peer(receivers, value):
    """The rounds of the peer whose median is highest; none without peers."""
    peers = [rounds for rounds in receivers.values()
             if next(iter(rounds.values()))["is_peer"]]
    return max(peers, default={},
               key=lambda rounds: median(_values(rounds, value)))


def _ratio(rounds, others, value):
    """To another receiver, round by round."""
    ratios = [run[value] / others[number][value]
              for number, run in rounds.items()
              if number in others and others[number][value]]
    return f"{median(ratios):.2f}" if ratios else NONE


def _streams(runs):
    receivers = _by_receiver(runs)
    peer, floor = _best_peer(receivers, "rate"), receivers.get(FLOOR, {})
    rows = []
    for rounds in receivers.values():
        rows.append([
            _title(rounds),
            _spread(_values(rounds, "rate")),
            _ratio(rounds, peer, "rate"),
            _ratio(rounds, floor, "rate"),
            f"{median(_values(rounds, 'cpu_per_million')):.2f}",
            _ratio(rounds, peer, "cpu_per_million"),
            f"{max(_values(rounds, 'memory')) / 2**20:.0f}",
            f"{sum(_values(rounds, 'lost')):,}",
            f"{sum(_values(rounds, 'repeated')):,}",
        ])
    return _rows(["", "messages/s", "× best peer", "× floor",
                  "CPU s per million", "× best peer's", "peak MiB", "lost",
                  "twice"], rows)


# --- what is wanted ----------------------------------------------------------

_BEST = "the best peer"
# Which value of which receiver, × which other one's, and how much is wanted;
# last the floor that tells what this machine leaves for it.
_WANTED = (
    ("stream", "messages/s", "rate", "sepmlogd", _BEST, "≥ 5", "store"),
    ("stream", "messages/s, zstd", "rate", "sepmlogd-zstd", _BEST, "≥ 4",
     "store"),
    ("stream", "messages/s, gzip", "rate", "sepmlogd-gzip", _BEST, "≥ 4",
     "store"),
    ("stream", "CPU a message", "cpu_per_million", "sepmlogd", _BEST,
     "≤ 0.1", "store"),
    ("stream", "CPU a message", "cpu_per_million", "sepmlogd", "write",
     "≤ 2.2", "store"),
    ("udp", "UDP without loss", "rate_held", "sepmlogd", _BEST, "≥ 3",
     "store"),
    ("udp", "UDP without loss", "rate_held", "sepmlogd", "discard", "≥ 0.7",
     "store"),
)


def _wanted(records):
    streams = _of(records, "stream")
    runs = {
        "stream": _by_receiver([r for r in streams
                                if _scenario(r) == _scenario(streams[0])]),
        "udp": _by_receiver(_of(records, "udp")),
    }
    rows = []
    for kind, what, value, ours, other, wanted, limit in _WANTED:
        receivers = runs[kind]
        base = (_best_peer(receivers, value if kind == "udp" else "rate")
                if other == _BEST else receivers.get(other, {}))
        if base and ours in receivers:
            title = other if other == _BEST else _title(base)
            rows.append([f"{what}, × {title}", wanted,
                         _ratio(receivers[ours], base, value),
                         _ratio(receivers[limit], base, value)])
    return _rows(["one connection, lines", "wanted", "is",
                  "what a floor that keeps our promises leaves"], rows)


# --- UDP ---------------------------------------------------------------------

def _udp(ladders):
    receivers = _by_receiver(ladders)
    peer = _best_peer(receivers, "rate_held")
    floor = receivers.get("discard", {})
    rows = []
    for rounds in receivers.values():
        limited = any(_values(rounds, "sender_limited"))
        rows.append([
            _title(rounds),
            ("≥ " if limited else "") + _spread(_values(rounds, "rate_held")),
            _ratio(rounds, peer, "rate_held"),
            _ratio(rounds, floor, "rate_held"),
            f"{median(_values(rounds, 'cpu_per_million')):.2f}",
            f"{max(_values(rounds, 'memory')) / 2**20:.0f}",
            f"{median(_values(rounds, 'receive_buffer')) / 2**20:.0f}",
        ])
    return _rows(["", "messages/s", "× best peer", "× floor",
                  "CPU s per million at that rate", "peak MiB",
                  "receive buffer, MiB as the kernel counts"], rows)
