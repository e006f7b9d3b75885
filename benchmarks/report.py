"""What a run found, as a table, a picture and raw data."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from loads import LOADS
from measure import Cores, Failure, Sample, middle, ratios
from proxies import PROXIES, Unavailable, first_line

FLOOR: Final = "forwarder"
RIVAL: Final = "mysqlrouter-sharing"
OURS: Final = "rwrouter"

X: Final = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Limit:
    """What we hold ourselves to: rwrouter's *what* under *load* at most *most* times that of *base*."""

    sentence: str
    load: str
    what: str  # as measure.ratios has it
    base: str
    most: float


LIMITS: Final = (
    Limit(
        "CPU per point select, text: at most 1.6 times the C forwarder's", "point_select", "cpu", FLOOR, 1.6
    ),
    Limit(
        "CPU per point select, text: at most 0.8 times MySQL Router's sharing",
        "point_select",
        "cpu",
        RIVAL,
        0.8,
    ),
    Limit(
        "CPU per point select, prepared: at most that of MySQL Router's sharing",
        "point_select_prepared",
        "cpu",
        RIVAL,
        1.0,
    ),
    Limit("Time of a 200,000-row result: at most 1.15 times direct", "big_result", "p95", "direct", 1.15),
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a run was made."""

    date: str  # UTC
    machine: str
    kernel: str
    cores: str
    load_average: float  # of the minute before the run: of others, since we had not begun
    threads: int
    rounds: int
    seconds: float
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """All that one run found."""

    conditions: Conditions
    samples: list[Sample]
    failures: list[Failure]


def conditions(
    where: Cores,
    root: Path | None,
    server: str,
    *,
    load_average: float,
    threads: int,
    rounds: int,
    seconds: float,
) -> Conditions:
    """Return what the run is made under."""
    versions = {"MySQL": server}
    for proxy in PROXIES.values():
        try:
            if found := proxy.version(root):
                versions[proxy.product] = found
        except Unavailable as error:
            versions[proxy.product] = f"absent: {error}"
    versions["sysbench"] = first_line(["sysbench", "--version"])
    versions["mariadb client"] = first_line(["mariadb", "--version"])
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    others = ", ".join(map(str, sorted(where.others)))
    return Conditions(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=f"{model}, {os.cpu_count()} cores",
        kernel=f"{platform.system()} {platform.release()}",
        cores=f"proxy on core {where.proxy}, servers and clients on core {others}",
        load_average=round(load_average, 2),
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        versions=versions,
    )


def of(run: Run, load: str) -> list[Sample]:
    """Return the samples of one load."""
    return [sample for sample in run.samples if sample.load == load]


def times(values: Sequence[float]) -> str:
    """Write ratios as `1.35 (1.31 to 1.40)`: the median, and the least and greatest of a round."""
    if not values:
        return "-"
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def number(value: float) -> str:
    """Write *value* with three digits that matter, or whole from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(run: Run) -> str:
    """Return the report as text."""
    about = run.conditions
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; `benchmarks/README.md` says how each number is made. Each ratio is the",
        "median over rounds of the ratio within a round, with the least and the greatest in parentheses.",
        "CPU is that of the proxy's processes alone, user and system time.",
        "",
        (
            f"{about.date} · {about.machine} · {about.kernel} · {about.cores} · "
            f"{about.threads} client threads · {about.rounds} rounds of {about.seconds:g} s · "
            f"no TLS unless a load says so · load average before the run {about.load_average:g}"
        ),
        "",
    ]
    lines += ["| | version |", "|---|---|"]
    lines += [f"| {name} | {version} |" for name, version in about.versions.items()]
    lines += ["", "## What we hold ourselves to", "", "| limit | measured | |", "|---|---|---|"]
    lines += [limit_row(run, limit) for limit in LIMITS]
    for load in LOADS.values():
        samples = of(run, load.name)
        if not samples:
            continue
        event = "median ms" if load.name == "big_result" else "p95 ms"
        lines += [
            "",
            f"## {load.label[0].upper()}{load.label[1:]}",
            "",
            (
                f"| | CPU µs per {load.unit} | {X} C forwarder | {X} MySQL Router, sharing "
                f"| per second | {X} direct | {event} | {X} direct |"
            ),
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [row(run, load.name, name) for name in PROXIES if is_in(run, load.name, name)]
    return "\n".join(lines) + "\n"


def is_in(run: Run, load: str, proxy: str) -> bool:
    """Whether *proxy* has a row under *load*: a result or a reason."""
    return any(sample.proxy == proxy for sample in of(run, load)) or reason(run, load, proxy) is not None


def reason(run: Run, load: str, proxy: str) -> str | None:
    """Return why *proxy* has no result under *load*, None where nothing went wrong."""
    for failure in run.failures:
        if failure.proxy == proxy and failure.load in ("", load):
            return failure.reason
    return None


def limit_row(run: Run, limit: Limit) -> str:
    """Return the row that says whether a limit holds."""
    found = ratios(of(run, limit.load), OURS, limit.base, limit.what)
    if not found:
        return f"| {limit.sentence} | - | not measured |"
    verdict = "holds" if median(found) <= limit.most else "**does not hold**"
    return f"| {limit.sentence} | {times(found)} | {verdict} |"


def row(run: Run, load: str, proxy: str) -> str:
    """Return the row of one proxy under one load."""
    label = f"**{PROXIES[proxy].label}**" if proxy == OURS else PROXIES[proxy].label
    samples = of(run, load)
    mine = [sample for sample in samples if sample.proxy == proxy]
    if not mine:
        return f"| {label} | not measured: {reason(run, load, proxy)} | | | | | | |"
    used = middle([each for sample in mine if (each := sample.cpu_per_statement) is not None])
    rate = median(sample.outcome.statements / sample.outcome.seconds for sample in mine)
    p95 = median(sample.outcome.p95 for sample in mine)
    cells = [
        label,
        "-" if used is None else number(used * 1e6),
        times(ratios(samples, proxy, FLOOR, "cpu")) if proxy != FLOOR else "1",
        times(ratios(samples, proxy, RIVAL, "cpu")) if proxy != RIVAL else "1",
        number(rate),
        times(ratios(samples, proxy, "direct", "rate")) if proxy != "direct" else "1",
        number(p95 * 1000),
        times(ratios(samples, proxy, "direct", "p95")) if proxy != "direct" else "1",
    ]
    if problem := reason(run, load, proxy):
        cells[0] += f" (gave up after {len(mine)} rounds: {problem})"
    return f"| {' | '.join(cells)} |"


def raw(run: Run) -> dict[str, Any]:
    """Return everything that was measured, for those who reckon for themselves."""
    return {
        "conditions": asdict(run.conditions),
        "samples": [
            asdict(sample.outcome)
            | {"load": sample.load, "proxy": sample.proxy, "round": sample.round, "cpu": sample.cpu}
            for sample in run.samples
        ],
        "failures": [asdict(failure) for failure in run.failures],
    }


COLOURS: Final = {  # Okabe and Ito's palette: told apart by all, also in grey
    "direct": "#999999",
    "forwarder": "#999999",
    "haproxy": "#56B4E9",
    "mysqlrouter": "#E69F00",
    "mysqlrouter-sharing": "#D55E00",
    "mysqlrouter-splitting": "#8C3A00",
    "rwrouter": "#0072B2",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of the picture: each proxy's *what* under *load* as a multiple of that of *base*."""

    load: str
    title: str
    what: str  # as measure.ratios has it
    base: str


def picture(run: Run, path: Path) -> None:
    """Draw the ratios: CPU to the C forwarder's under each load, and the time of the big result to direct."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = [
        Panel(load.name, f"{load.label}\nCPU per {load.unit} ÷ C forwarder", "cpu", FLOOR)
        for load in LOADS.values()
        if of(run, load.name)
    ]
    if of(run, "big_result"):
        panels.append(Panel("big_result", f"{LOADS['big_result'].label}\ntime ÷ direct", "p95", "direct"))
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(3.9 * columns + 1.6, 2.6 * lines + 0.7), squeeze=False, sharey=True
    )
    asked = {each.proxy for each in (*run.samples, *run.failures)}
    names = [name for name in PROXIES if name != "direct" and name in asked][::-1]
    for axis, panel in zip(axes.flat, panels, strict=False):
        draw(axis, run, names, panel)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    about = run.conditions
    figure.suptitle(
        f"Less is better. One core for each proxy, {about.threads} client threads, no TLS unless said; "
        f"median of {about.rounds} rounds, line: least to greatest. "
        f"{about.machine}, {about.date[:10]}",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw(axis: Any, run: Run, names: list[str], panel: Panel) -> None:
    """Draw one panel: a bar a proxy, its value beside it."""
    top = 1.0
    for place, name in enumerate(names):
        found = ratios(of(run, panel.load), name, panel.base, panel.what)
        if not found:
            axis.text(0.03, place, "not measured", va="center", fontsize=8, color="#666666")
            continue
        value = median(found)
        top = max(top, *found)
        axis.barh(place, value, color=COLOURS[name], height=0.66, zorder=2)
        axis.plot([min(found), max(found)], [place, place], color="black", linewidth=1, zorder=3)
        axis.text(
            max(found),
            place,
            f"  {value:.2f}",
            va="center",
            fontsize=9,
            fontweight="bold" if name == OURS else "normal",
        )
    axis.axvline(1, color="black", linewidth=0.8, linestyle=":", zorder=1)
    axis.set_xlim(0, top * 1.25)
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.set_yticks(
        range(len(names)), [PROXIES[name].label.replace(", ", ",\n", 1) for name in names], fontsize=9
    )
    for tick, name in zip(axis.get_yticklabels(), names, strict=False):
        tick.set_fontweight("bold" if name == OURS else "normal")
    axis.set_title(panel.title, fontsize=9, loc="left")
    axis.tick_params(axis="x", labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def write(run: Run, folder: Path, say: Callable[[str], None]) -> None:
    """Write benchmark.md, benchmark.json and benchmark.png into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.md").write_text(markdown(run))
    (folder / "benchmark.json").write_text(json.dumps(raw(run), indent=1) + "\n")
    picture(run, folder / "benchmark.png")
    say(f"written: {folder}/benchmark.md, .json, .png")
