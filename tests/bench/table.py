"""The results as Markdown."""

from statistics import median

FLOOR = "write"
NONE = "–"


def scenario_title(sockets, framing):
    return (f"{sockets} connection{'s' if sockets > 1 else ''}, "
            f"{'octet counted' if framing == 'counted' else 'lines'}")


def markdown(records):
    parts = [_conditions(records), _checks(_of(records, "check"))]
    tcp = _of(records, "tcp")
    for sockets, framing in dict.fromkeys(
            (r["sockets"], r["framing"]) for r in tcp):
        parts.append(f"## TCP, {scenario_title(sockets, framing)}\n\n"
                     + _tcp([r for r in tcp if (r["sockets"], r["framing"])
                             == (sockets, framing)]))
    parts.append("## TLS\n\nNot measured: the load generator does not speak TLS.")
    if _of(records, "udp"):
        parts.append(
            "## UDP, highest rate without loss\n\n"
            "The highest of a ladder of rates, in each round, at which "
            "nothing is lost and nothing queues up; ≥ where the sender could "
            "do no more. It hands up to 64 datagrams to the kernel at once "
            "(UDP_SEGMENT).\n\n"
            + _udp(_of(records, "udp")))
    return "\n\n".join(parts)


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
    runs = _of(records, "tcp") + _of(records, "rung")
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


# --- TCP ---------------------------------------------------------------------

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


def _tcp(runs):
    receivers = _by_receiver(runs)
    peer, floor = _best_peer(receivers, "rate"), receivers.get(FLOOR, {})
    rows = []
    for rounds in receivers.values():
        rows.append([
            next(iter(rounds.values()))["title"],
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


# --- UDP ---------------------------------------------------------------------

def _held(run):
    return run["asked"] if run["held"] else 0


def _udp(ladders):
    for run in ladders:
        run["rate_held"] = _held(run)
    receivers = _by_receiver(ladders)
    peer = _best_peer(receivers, "rate_held")
    floor = receivers.get("discard", {})
    rows = []
    for rounds in receivers.values():
        limited = any(_values(rounds, "sender_limited"))
        rows.append([
            next(iter(rounds.values()))["title"],
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
