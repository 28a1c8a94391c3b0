// How a step changes the parameters: what the optimizer keeps of them, and the table of its coefficients, of which each step
// reads its own row.

import type { Heap, Region } from "./heap.js";
import { isPlain, optimizers, type SetOptimizer, slotsOf, writeRates, writeSettings } from "./optimizers.js";
import { chunksOf, type ProgramBuilder, Rate, Setting } from "./program/builder.js";
import { sizeOf } from "./shape.js";
import type { Store, Tensor } from "./store.js";

/** Bytes of the cell that counts the steps of an optimizer. */
const COUNTER_BYTES = 8;

/** Whether steps fold: see program/fold.ts. */
function folds(store: Store, optimizer: SetOptimizer): boolean {
  const free = ({ trainable, l1, l2, maxNorm }: Tensor) =>
    !trainable || (l1 === 0 && l2 === 0 && maxNorm === Number.POSITIVE_INFINITY);
  return isPlain(optimizer) && store.tensors.every(free);
}

/** The cell that counts the steps of an optimizer since it began, where they matter; a slot like all that it keeps. */
function counterOf(store: Store, { name }: SetOptimizer): Region | undefined {
  return optimizers[name].corrected ? store.slot(`${name}.steps`, COUNTER_BYTES) : undefined;
}

/**
 * Takes room for what an optimizer keeps, which stays: before anything that is released again. Returns whether it keeps
 * anything.
 */
export function takeSlots(store: Store, optimizer: SetOptimizer): boolean {
  const names = slotsOf(optimizer).filter((name) => name !== undefined);
  for (const name of names) store.slot(name);
  counterOf(store, optimizer);
  return names.length > 0;
}

/** Whether takeSlots() would find all that it takes. */
export function hasSlots(store: Store, optimizer: SetOptimizer): boolean {
  const { name } = optimizer;
  const { slots, corrected } = optimizers[name];
  for (const slot of slots(optimizer)) if (slot && !store.hasSlot(`${name}.${slot}`)) return false;
  return !corrected || store.hasSlot(`${name}.steps`);
}

/** The rates of an epoch. */
export interface FilledRates {
  last: number;
  highest: number;
}

export class UpdatePlan {
  /** Where gradients go: a buffer laid out as the parameters are, or undefined where steps fold. */
  readonly gradients: Region | undefined;
  /** f64 (steps, Rate.columns): the first is all that a step that folds reads. */
  readonly rates: Region;
  /** Bytes from a step's row to that of the next; 0: all steps have the same. */
  readonly stride: number;
  readonly #heap: Heap;
  readonly #store: Store;
  readonly #optimizer: SetOptimizer;
  readonly #settings: Region;

  /**
   * For `steps` steps from step 0 on, again and again; after takeSlots().
   *
   * @param optimizer its settings as they are now: when others than the learning rate change, it takes a new plan
   * @param options.folding false: steps never fold, for the gradients come from elsewhere
   */
  constructor(
    { heap, store }: { heap: Heap; store: Store },
    optimizer: SetOptimizer,
    steps: number,
    { folding = true } = {},
  ) {
    this.#heap = heap;
    this.#store = store;
    this.#optimizer = optimizer;
    const changes = typeof optimizer.learningRate !== "number" || optimizers[optimizer.name].corrected;
    this.stride = changes ? Rate.columns * 8 : 0;
    this.rates = heap.region((changes ? steps : 1) * Rate.columns * 8);
    this.#settings = heap.region(Setting.columns * 8);
    this.gradients = folding && folds(store, optimizer) ? undefined : heap.region(store.region.bytes);
    writeSettings(optimizer, heap.f64.subarray(this.#settings.offset / 8).subarray(0, Setting.columns));
  }

  /** Writes the coefficients of the next `steps` steps, whose learning rates are rateOf(0), rateOf(1), ... */
  fill(steps: number, rateOf: (step: number) => number): FilledRates {
    const optimizer = this.#optimizer;
    const counter = counterOf(this.#store, optimizer);
    const { f64 } = this.#heap;
    const taken = counter ? f64[counter.offset / 8] : 0;
    const first = this.rates.offset / 8;
    const rows = this.stride > 0 ? steps : 1;
    let last = 0;
    let highest = 0;
    for (let step = 0; step < rows; step++) {
      last = rateOf(step);
      highest = Math.max(highest, last);
      writeRates(optimizer, last, taken + step + 1, f64, first + step * Rate.columns);
    }
    return { last, highest };
  }

  /** Emits a step, after all gradients, unless steps fold. */
  emit(builder: ProgramBuilder): void {
    const { gradients, rates, stride } = this;
    if (!gradients) return;
    const store = this.#store;
    const optimizer = this.#optimizer;
    const { elementBytes } = builder.heap;
    const { op, variant } = optimizers[optimizer.name];
    const trained = store.tensors.filter(({ trainable }) => trainable);
    this.#emitAdjustments(builder, gradients, trained);
    const factor = this.#emitClipFactor(builder, gradients, trained);
    const slots = slotsOf(optimizer).map((name) => (name === undefined ? undefined : store.slot(name)));
    for (const run of store.trained) {
      const own = store.within(gradients, run);
      const kept = slots.map((slot) => slot && store.within(slot, run));
      builder.update(op(optimizer), {
        parameters: run,
        gradients: own,
        // Without a velocity the gradients take its place: see momentum() in assembly/optimizers.ts.
        slots: kept.length === 1 && !kept[0] ? [own] : kept,
        size: run.bytes / elementBytes,
        rates,
        stride,
        settings: this.#settings,
        factor,
        variant: variant(optimizer),
      });
    }
    for (const { region, shape, maxNorm } of trained) {
      const columns = shape[shape.length - 1];
      if (maxNorm < Number.POSITIVE_INFINITY)
        builder.maxNorm(region, sizeOf(shape) / columns, columns, builder.cell(maxNorm));
    }
    const counter = counterOf(store, optimizer);
    if (counter) builder.count(counter);
  }

  /** Penalties, and the limit of each value. */
  #emitAdjustments(builder: ProgramBuilder, gradients: Region, trained: readonly Tensor[]): void {
    const limit = this.#cellOf(Setting.clipValue);
    for (const { region, shape, l1, l2 } of trained) {
      if (l1 === 0 && l2 === 0 && this.#optimizer.clipValue === undefined) continue;
      const own = this.#store.within(gradients, region);
      builder.adjust(own, region, sizeOf(shape), builder.cell(l1), builder.cell(2 * l2), limit);
    }
  }

  /** What all gradients are multiplied by, so that their norm is not above its limit. */
  #emitClipFactor(builder: ProgramBuilder, gradients: Region, trained: readonly Tensor[]): Region {
    const factor = builder.cell(1);
    if (this.#optimizer.clipNorm === undefined) return factor;
    // Tensor by tensor, for nobody writes what lies between them.
    const chunks = trained.map(({ shape }) => chunksOf(sizeOf(shape)));
    const count = chunks.reduce((sum, own) => sum + own, 0);
    const sums = this.#heap.region(count * 8);
    let { offset } = sums;
    for (const [index, { region, shape }] of trained.entries()) {
      const bytes = chunks[index] * 8;
      builder.squares({ offset, bytes }, this.#store.within(gradients, region), sizeOf(shape));
      offset += bytes;
    }
    builder.clipFactor(factor, sums, count, this.#cellOf(Setting.clipNorm));
    return factor;
  }

  #cellOf(setting: Setting): Region {
    return { offset: this.#settings.offset + 8 * setting, bytes: 8 };
  }
}
