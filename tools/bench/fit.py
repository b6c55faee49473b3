# SPDX-License-Identifier: MIT
"""How a cost grows with the number of what is there: which law fits, and whether it is worse
than the logarithm.

Counts have no noise worth mentioning, but trees have levels, caches of objects run dry and
tables double, so that a cost moves in steps.  Hence two questions.  The law is the simplest of
LAWS that explains the costs almost as well as the best one.  The verdict doesn't depend on it:
a cost that grows no faster than the logarithm grows by the same amount in each decade, so what
the last decade adds is compared with what the ones before it added.
"""

import math

LAWS = {'1': lambda n: 0.0, 'log n': math.log2, 'sqrt n': math.sqrt, 'n': float,
        'n log n': lambda n: n * math.log2(n)}
# A law is as good as a more complicated one if it leaves no more than this unexplained, of
# the cost.
CLOSE = 0.02
# The last decade may add this many times what a decade before it added,
DECADE_FACTOR = 2.0
# or this part of the cost: less is a step, not a law.
STEP = 0.10


def least_squares(points, law):
    """(a, b) of cost = a + b * law(n), and the root of the mean square of what is left."""
    xs, ys = [law(n) for n, _ in points], [cost for _, cost in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    b = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / spread if spread else 0.0
    a = mean_y - b * mean_x
    left = math.sqrt(sum((y - a - b * x) ** 2 for x, y in zip(xs, ys)) / len(xs))
    return a, b, left


def law_of(points):
    """(law, a, b): cost = a + b * law(n)."""
    fits = {name: least_squares(points, law) for name, law in LAWS.items()}
    # A cost that falls was fitted by no law of growth.
    fits = {name: fit for name, fit in fits.items() if name == '1' or fit[1] > 0}
    best = min(left for _, _, left in fits.values())
    scale = sum(cost for _, cost in points) / len(points)
    for name, (a, b, left) in fits.items():
        if left <= best + CLOSE * scale:
            return name, a, b
    raise AssertionError('the best one fits')


def is_worse_than_log(points):
    """Whether the last decade adds more than the logarithm would.  `points` is [(n, cost)],
    a decade apart and ascending."""
    steps = [after - before for (_, before), (_, after) in zip(points, points[1:])]
    allowed = max(DECADE_FACTOR * max(steps[:-1], default=0.0), STEP * points[-2][1])
    return steps[-1] > allowed
