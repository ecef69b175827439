"""Draw what an append with root and fingerprint costs as a history grows, from what the benchmark printed:

    cargo run --release --package bench -- trees --big | python -m tests.benchmarks.curve docs/append-cost.svg

Sizes on a logarithmic axis: a straight line is growth with log n.
"""

from __future__ import annotations

import math
import re
import sys

LINE = re.compile(r"^  at +(\d+) leaves +(\d+) ns .* bare loop +(\d+) ns")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 70, 270, 40
STYLE = 'font-family="sans-serif" font-size="13"'


def main(target: str) -> None:
    points = _points(sys.stdin.read())
    if len(points) < 2:
        raise SystemExit("no curve in the input: it needs the lines of the first branch in memory")
    with open(target, "w", encoding="utf-8") as file:
        file.write(_picture(points))


def _points(text: str) -> list[tuple[int, int, int]]:
    """(leaves, ns, ns of the bare loop), as long as the sizes rise: the first tree that was measured."""
    points: list[tuple[int, int, int]] = []
    for line in text.splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        size, ours, bare = (int(part) for part in found.groups())
        if points and size <= points[-1][0]:
            break
        points.append((size, ours, bare))
    return points


def _picture(points: list[tuple[int, int, int]]) -> str:
    low, high = math.log10(points[0][0]), math.log10(points[-1][0])
    top = math.ceil(max(ours for _, ours, _ in points) / 500) * 500

    def x(size: int) -> float:
        return LEFT + (WIDTH - LEFT - 50) * (math.log10(size) - low) / (high - low)

    def y(ns: int) -> float:
        return BOTTOM - (BOTTOM - TOP) * ns / top

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" {STYLE}>']
    parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    parts.append(f'<text x="{LEFT}" y="22">append + root + fingerprint, one thread, by size of the history</text>')
    for ns in range(0, top + 1, 500):
        parts.append(f'<path d="M{LEFT} {y(ns):.1f}H{WIDTH - 50}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(ns) + 4:.1f}" text-anchor="end">{ns} ns</text>')
    for size, _, _ in points:
        parts.append(f'<text x="{x(size):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{size:,}</text>')
    for name, column, colour in (("ama2sec", 1, "#06c"), ("the same hashes alone", 2, "#999")):
        line = " ".join(f"{x(point[0]):.1f},{y(point[column]):.1f}" for point in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(
            f'<circle cx="{x(point[0]):.1f}" cy="{y(point[column]):.1f}" r="3" fill="{colour}"/>' for point in points
        )
        parts.append(f'<text x="{LEFT + 180 * (column - 1)}" y="{HEIGHT - 10}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    main(sys.argv[1])
