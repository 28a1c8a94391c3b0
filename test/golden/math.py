"""Writes math.json: exp, log, tanh and sigmoid of f64 and f32 arguments, correctly rounded.

Python's standard library only: python3 math.py. Each entry is "argument result", the bits of both in
hexadecimal (16 digits for f64, 8 for f32). Results are computed to 100 decimal digits, then rounded once.
"""

import sys

sys.path.pop(0)  # this folder, where the name of this file would hide the math module

import json
import random
import struct
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

POINTS = 1350
INFINITY = float("inf")
NAN = float("nan")


class Format:
    """A binary floating-point type: struct codes, precision in bits and exponent of the least subnormal."""

    def __init__(self, name, float_code, int_code, digits, precision, least):
        self.name, self.float_code, self.int_code, self.digits = name, float_code, int_code, digits
        self.precision, self.least = precision, least
        self.greatest = -least - precision + 3  # 2^greatest is the first power of two out of range
        self.normal = 2.0 ** (least + precision - 1)

    def value(self, bits):
        return struct.unpack(self.float_code, struct.pack(self.int_code, bits))[0]

    def bits(self, value):
        return struct.unpack(self.int_code, struct.pack(self.float_code, value))[0]

    def hex(self, value):
        return f"{self.bits(value):0{self.digits}x}"

    def round(self, exact):
        """The value of this type nearest to a Fraction or Decimal, ties to even."""
        exact = Fraction(exact)
        if exact == 0:
            return 0.0
        size = abs(exact)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        if Fraction(2) ** exponent > size:
            exponent -= 1  # now 2^exponent <= size < 2^(exponent + 1)
        unit = max(exponent - self.precision + 1, self.least)
        rounded = round(size / Fraction(2) ** unit) * Fraction(2) ** unit
        result = INFINITY if rounded >= Fraction(2) ** self.greatest else float(rounded)
        return -result if exact < 0 else result

    def neighbours(self, value, count=2):
        """`value` and the `count` values of this type on each side of it."""
        value = self.round(Fraction(value))
        bits = self.bits(abs(value))
        near = [self.value(max(bits + step, 0)) for step in range(-count, count + 1)]
        return [-v if value < 0 else v for v in near]


F64 = Format("f64", "<d", "<Q", 16, 53, -1074)
F32 = Format("f32", "<f", "<I", 8, 24, -149)


def exp(x):
    if x != x:
        return NAN
    return max(min(Decimal(x), Decimal(1000)), Decimal(-1000)).exp()


def log(x):
    if x != x or x < 0:
        return NAN
    if x == 0:
        return -INFINITY
    return INFINITY if x == INFINITY else Decimal(x).ln()


def tanh(x):
    if x != x or x == 0:
        return x
    size = min(abs(Decimal(x)), Decimal(100))
    if size < Decimal("1e-12"):  # the next term is below 10^-72 of the result
        result = size - size**3 / 3 + 2 * size**5 / 15
    else:
        result = (1 - (-2 * size).exp()) / (1 + (-2 * size).exp())
    return -result if x < 0 else result


def sigmoid(x):
    if x != x:
        return NAN
    return 1 / (1 + max(min(-Decimal(x), Decimal(1000)), Decimal(-1000)).exp())


def evaluate(function, format, x):
    result = function(x)
    return format.round(result) if isinstance(result, Decimal) else result


LN2 = Fraction(Decimal(2).ln())

# Function, arguments near which to look (thresholds of the implementations and of the formats), and the
# ranges, linear (low, high) and in powers of two (low, high, both signs), to draw arguments from.
PLANS = {
    ("exp", F64): (exp, [-746, 710, 1, -1, "709.782712893384", "-708.3964185322641", "-745.1332191019412"]
                   + [(n + Fraction(1, 2)) * LN2 for n in (-1074, -1023, -512, -2, -1, 0, 1, 511, 1023)],
                   [(-2, 2), (-746, 710), (-746, -708), (700, 710)], [(-60, 9, True)]),
    ("exp", F32): (exp, [-104, 89, 1, -1, "88.722839", "-87.336548", "-103.97208"]
                   + [(n + Fraction(1, 2)) * LN2 for n in (-149, -127, -64, -2, -1, 0, 1, 63, 127)],
                   [(-2, 2), (-104, 89), (-104, -87), (87, 89)], [(-30, 7, True)]),
    ("log", F64): (log, [1, 2, "0.5", "0.7071067811865476", "1.4142135623730951", Fraction(2) ** -1022,
                         Fraction(2) ** -1021, Fraction(2) ** 1023, Fraction(0x3FE6A09E) / 2**30],
                   [(0.5, 2), (0.98, 1.02), (0, 100)], [(-1074, 1023, False), (-1074, -1020, False)]),
    ("log", F32): (log, [1, 2, "0.5", "0.70710678", "1.4142135", Fraction(2) ** -126,
                         Fraction(2) ** -125, Fraction(2) ** 127],
                   [(0.5, 2), (0.98, 1.02), (0, 100)], [(-149, 127, False), (-149, -124, False)]),
    ("tanh", F64): (tanh, [1, 22, -22, "19.06154746539849"]
                    + [(n + Fraction(1, 2)) * LN2 / 2 for n in range(12)],
                    [(-1, 1), (0, 0.2), (0.1, 0.7), (-22, 22)], [(-1074, 5, True), (-30, 5, True)]),
    ("tanh", F32): (tanh, [1, 10, -10, "9.0109133"] + [(n + Fraction(1, 2)) * LN2 / 2 for n in range(12)],
                    [(-1, 1), (0, 0.2), (0.1, 0.7), (-10, 10)], [(-149, 4, True), (-14, 4, True)]),
    ("sigmoid", F64): (sigmoid, [40, -746, 1, -1, "-708.3964185322641", "-745.1332191019412", "-36.7368"]
                       + [(n + Fraction(1, 2)) * LN2 for n in (-1074, -1023, -53, -2, -1, 0, 1, 52)],
                       [(-4, 4), (-40, 40), (-746, -700), (-746, 0)], [(-60, 9, True)]),
    ("sigmoid", F32): (sigmoid, [20, -104, 1, -1, "-87.336548", "-103.97208", "-88.72", "-16.635532"]
                       + [(n + Fraction(1, 2)) * LN2 for n in (-149, -127, -24, -2, -1, 0, 1, 23)],
                       [(-4, 4), (-20, 20), (-104, -86), (-104, 0)], [(-30, 7, True)]),
}


def arguments(format, near, ranges, scales, draw):
    """POINTS distinct arguments: special values, the neighbours of `near`, then draws from each range."""
    largest = format.value(format.bits(INFINITY) - 1)
    least = format.value(1)
    points = [0.0, -0.0, INFINITY, -INFINITY, NAN, largest, -largest, least, -least, -1.0, 1000.0, -1000.0]
    points += format.neighbours(format.normal) + format.neighbours(-format.normal)
    for value in near:
        points += format.neighbours(value)
    chosen = {format.bits(point): point for point in points}
    while len(chosen) < POINTS:
        for low, high in ranges:
            point = format.round(Fraction(draw.uniform(low, high)))
            chosen.setdefault(format.bits(point), point)
        for low, high, both in scales:
            point = format.round(Fraction(2.0 ** draw.uniform(low, high)))
            point = -point if both and draw.random() < 0.5 else point
            chosen.setdefault(format.bits(point), point)
    return list(chosen.values())[:POINTS]


def main():
    draw = random.Random(20240229)
    golden = {}
    with localcontext(Context(prec=100)):
        for (name, format), (function, near, ranges, scales) in PLANS.items():
            golden[f"{name} {format.name}"] = [
                f"{format.hex(x)} {format.hex(evaluate(function, format, x))}"
                for x in arguments(format, near, ranges, scales, draw)
            ]
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
