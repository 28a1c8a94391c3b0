// Losses that are asked for less often: see assembly/rare-losses.ts for the formulas. Only what is stored is rounded.

import { Op } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { argmax } from "./losses.js";
import { exp64, log64 } from "./math.js";

function power(x: number, exponent: number): number {
  return exp64(exponent * log64(x));
}

function sigmoid(x: number): number {
  return 1 / (1 + exp64(-x));
}

export function elementLoss(
  f: FloatArray,
  op: Op,
  d: number,
  losses: number,
  hits: number,
  y: number,
  x: number,
  t: number,
  n: number,
  scale: number,
  [first, second]: ArrayLike<number> & Iterable<number>,
): void {
  for (let i = 0; i < n; i++) {
    const value = f[x + i];
    const target = f[t + i];
    const difference = value - target;
    const distance = Math.abs(difference);
    let loss = distance;
    let gradient = difference;
    let hit = false;
    switch (op) {
      case Op.meanAbsoluteError:
        gradient = Number(difference > 0) - Number(difference < 0);
        break;
      case Op.huber: {
        const near = Math.min(distance, first);
        loss = near * (distance - 0.5 * near);
        gradient = Math.max(Math.min(difference, first), -first);
        break;
      }
      case Op.logCosh: {
        const decay = exp64(-2 * distance);
        loss = distance + (log64(1 + decay) - Math.LN2);
        gradient = (1 - decay) / (1 + decay);
        if (difference < 0 || Object.is(difference, -0)) gradient = -gradient;
        break;
      }
      case Op.poisson: {
        const mean = value + 1e-8;
        loss = value - target * log64(mean);
        gradient = 1 - target / mean;
        break;
      }
      case Op.binaryFocal: {
        const prediction = sigmoid(value);
        const rest = sigmoid(-value);
        const other = 1 - target;
        const surprise = Math.max(value, 0) - value * target + log64(1 + exp64(-Math.abs(value)));
        const unsure = Math.max(prediction * other + rest * target, 2.2250738585072014e-308);
        const focus = (second * target + (1 - second) * other) * power(unsure, first);
        loss = focus * surprise;
        gradient =
          focus *
          (prediction - target - first * (target - other) * surprise * ((prediction * rest) / unsure));
        hit = prediction >= 0.5 === target >= 0.5;
        f[y + i] = prediction;
        break;
      }
      default:
        loss = Math.max(1 - target * value, 0);
        hit = value > 0 === target > 0;
        if (op === Op.hinge) {
          gradient = loss > 0 ? -target : 0;
        } else {
          gradient = -target * loss;
          loss *= loss;
        }
    }
    f[losses + i] = loss;
    f[hits + i] = Number(hit);
    f[d + i] = gradient * scale;
  }
}

export function rowLoss(
  f: FloatArray,
  op: Op,
  d: number,
  losses: number,
  hits: number,
  y: number,
  x: number,
  t: number,
  rows: number,
  width: number,
  scale: number,
  parameters: ArrayLike<number>,
): void {
  const focuses = op === Op.focal;
  const fused = focuses || op === Op.klDivergence;
  const gamma = focuses ? parameters[0] : 0;
  const alpha = focuses ? parameters[1] : 1;
  for (let row = 0; row < rows * width; row += width) {
    const largest = f[x + row + argmax(f, x + row, width)];
    let total = 0;
    let product = 0;
    let squareX = 1e-12;
    let squareT = 1e-12;
    let rival = -Infinity;
    let place = 0;
    for (let j = 0; j < width; j++) {
      const value = f[x + row + j];
      const target = f[t + row + j];
      if (fused) total += exp64(value - largest);
      product += value * target;
      squareX += value * value;
      squareT += target * target;
      if ((1 - target) * value > rival) {
        rival = (1 - target) * value;
        place = j;
      }
    }
    let loss = 0;
    let a = 0;
    let b = 0;
    if (fused) {
      total = log64(total);
    } else if (op === Op.categoricalHinge) {
      loss = Math.max(1 + rival - product, 0);
      b = Number(loss > 0);
    } else {
      b = 1 / Math.sqrt(squareX * squareT);
      loss = 1 - product * b;
      a = (-product * b) / squareX;
    }
    for (let j = 0; j < width; j++) {
      const target = f[t + row + j];
      let gradient = -b * target;
      if (fused) {
        const logarithm = f[x + row + j] - largest - total;
        const prediction = exp64(logarithm);
        const unsure = Math.max(1 - prediction, 5.551115123125783e-17);
        const weight = alpha * target * (gamma !== 0 ? power(unsure, gamma) : 1);
        gradient = weight * ((gamma * prediction * logarithm) / unsure - 1);
        loss -= weight * logarithm;
        if (!focuses && target > 0) loss += target * log64(target);
        f[y + row + j] = prediction;
        a += gradient;
      } else if (op === Op.categoricalHinge && j === place) {
        gradient += b * (1 - target);
      }
      f[d + row + j] = gradient;
    }
    const outputs = (fused ? y : x) + row;
    for (let j = 0; j < width; j++) f[d + row + j] = (f[d + row + j] - a * f[outputs + j]) * scale;
    const r = row / width;
    f[losses + r] = loss;
    const hit = op !== Op.cosineSimilarity && argmax(f, outputs, width) === argmax(f, t + row, width);
    f[hits + r] = Number(hit);
  }
}
