// Random numbers for every element of a batch: see assembly/noise.ts. Both read their operands themselves.

import { Noise } from "../../../assembly/ops.js";
import type { Machine } from "./machine.js";
import { log64 } from "./math.js";
import { philox, uniform53 } from "./random.js";

/** Calls `draw` for every element of the rows from the `from`th on, with what it is drawn from. */
function eachElement(
  machine: Machine,
  step: number,
  from: number,
  rows: number,
  width: number,
  draw: (at: number, column: number, ...source: Parameters<typeof philox>) => void,
): void {
  const [low, high] = [machine.word(Noise.seedLow), machine.word(Noise.seedHigh)];
  const stream = machine.word(Noise.stream);
  const now = machine.cell(Noise.step) + step;
  for (let i = 0; i < rows * width; i++) {
    const column = i % width;
    draw(i, column, low, high, stream, column, from + (i - column) / width, now);
  }
}

export function dropout(machine: Machine, step: number, from: number, rows: number, width: number): void {
  const { f } = machine;
  const kept = machine.round(machine.cell(Noise.scale));
  const threshold = machine.word(Noise.threshold);
  const [y, mask, x] = [machine.own(Noise.output), machine.own(Noise.mask), machine.own(Noise.input)];
  eachElement(machine, step, from, rows, width, (at, j, low, high, stream, _, row, now) => {
    const words = philox(low, high, stream, 4 * (j >>> 4) + (j & 3), row, now);
    const factor = words[(j >>> 2) & 3] < threshold ? 0 : kept;
    f[mask + at] = factor;
    f[y + at] = f[x + at] * factor;
  });
}

function quantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q * (((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)) /
      (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1)
    );
  }
  const r = Math.sqrt(-log64(q < 0 ? p : 1 - p)) - 1.6;
  const z =
    (((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777) /
    ((0.12021132975 * r + 0.7370016425) * r + 1);
  return q < 0 ? -z : z;
}

const BELOW = 0.022750131948179195;

export function normal(machine: Machine, step: number, from: number, rows: number, width: number): void {
  const { f, round } = machine;
  const deviation = machine.cell(Noise.scale);
  const truncated = machine.word(Noise.truncated) !== 0;
  const [y, x] = [machine.own(Noise.output), machine.owned(Noise.input)];
  eachElement(machine, step, from, rows, width, (at, _, ...source) => {
    const u = Math.max(uniform53(...source), 2 ** -54);
    const value = round(deviation * quantile(truncated ? BELOW + u * (1 - 2 * BELOW) : u));
    f[y + at] = x ? f[x + at] + value : value;
  });
}
