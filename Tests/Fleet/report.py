"""Line plots as SVG: the time in seconds on the horizontal axis, several series in one plot, bounds as dashed lines."""
import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 260, 76, 150, 34, 30
COLOURS = ("#1668b0", "#c2410c", "#15803d", "#7e22ce", "#334155")


def nice_step(span, parts=4):
    """The smallest of 1, 2, 5 times a power of ten that divides the span into at most this many parts."""
    raw, power = span / parts, 1.0
    while power * 10 <= raw:
        power *= 10
    while power > raw:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def ticks(values, is_logarithmic):
    """The values of the horizontal grid lines, from the bottom of the plot to its top."""
    most = max(values, default=1) or 1
    if is_logarithmic:
        bottom = math.floor(math.log10(min((value for value in values if value > 0), default=most)))
        return [10.0 ** power for power in range(bottom, max(math.ceil(math.log10(most)), bottom + 1) + 1)]
    step = nice_step(most)
    return [round(step * index, 9) for index in range(math.ceil(most / step * 0.999) + 1)]


def plot(title, unit, series, bounds=None, is_logarithmic=False):
    """`series` and `bounds` are lists of (seconds, value) by name; a value of None is a gap in the line."""
    lines = {**series, **(bounds or {})}
    points = [point for line in lines.values() for point in line if point[1] is not None]
    end, across = max((x for x, _ in points), default=1) or 1, ticks([y for _, y in points], is_logarithmic)

    def height(y):
        if is_logarithmic:
            return math.log10(max(y, across[0]) / across[0]) / math.log10(across[-1] / across[0])
        return y / across[-1]

    def place(x, y):
        return LEFT + x / end * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - height(y) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}, {escape(unit)}</text>']
    for value in across:
        _, y = place(0, value)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e2e8f0"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    seconds, time_step = 0.0, nice_step(end, 8)
    while seconds <= end:
        x, _ = place(seconds, across[0])
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{seconds:g} s</text>')
        seconds += time_step
    for index, (name, line) in enumerate(lines.items()):
        colour, path, is_gap = COLOURS[index % len(COLOURS)], "", True
        for x, y in line:
            if y is None:
                is_gap = True
                continue
            px, py = place(x, y)
            path += f"{'M' if is_gap else 'L'}{px:.1f} {py:.1f}"
            is_gap = False
        dashes = ' stroke-dasharray="6 4"' if bounds and name in bounds else ""
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes}/>'
                   f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 12 + index * 16}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])
