// How a step changes the parameters: what the optimizer keeps of them, and the table of its coefficients, of which each step
// reads its own row.

import type { Heap, Region } from "./heap.js";
import {
  isPlain,
  optimizers,
  ruleOf,
  type SetOptimizer,
  slotsOf,
  writeRates,
  writeSettings,
} from "./optimizers.js";
import { chunksOf, type ProgramBuilder, Rate, Setting } from "./program/builder.js";
import { powersOf } from "./rates.js";
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

/** The slots of an optimizer. */
function regionsOf(store: Store, optimizer: SetOptimizer): (Region | undefined)[] {
  return slotsOf(optimizer).map((name) => (name ? store.slot(name) : undefined));
}

/**
 * Takes room for what an optimizer keeps, which stays: before anything that is released again. Returns whether it keeps
 * anything.
 */
export function takeSlots(store: Store, optimizer: SetOptimizer): boolean {
  const slots = regionsOf(store, optimizer);
  counterOf(store, optimizer);
  return slots.some((slot) => slot);
}

/** Whether takeSlots() would find all that it takes. */
export function hasSlots(store: Store, optimizer: SetOptimizer): boolean {
  const { name } = optimizer;
  const kept = slotsOf(optimizer).every((slot) => !slot || store.hasSlot(slot));
  return kept && (!optimizers[name].corrected || store.hasSlot(`${name}.steps`));
}

/** The rates of an epoch. */
export interface FilledRates {
  last: number;
  highest: number;
}

export interface UpdatePlan {
  /** Where gradients go: a buffer laid out as the parameters are, or undefined where steps fold. */
  readonly gradients: Region | undefined;
  /** f64 (steps, Rate.columns): the first is all that a step that folds reads. */
  readonly rates: Region;
  /** Bytes from a step's row to that of the next; 0: all steps have the same. */
  readonly stride: number;
  /** Writes the coefficients of the next `steps` steps, whose learning rates are rateOf(0), rateOf(1), ... */
  fill(steps: number, rateOf: (step: number) => number): FilledRates;
  /** Emits a step, after all gradients; nothing where steps fold. */
  emit(builder: ProgramBuilder): void;
}

/**
 * Plans the updates of `steps` steps from step 0 on, again and again; after takeSlots().
 *
 * @param optimizer its settings as they are now: when others than the learning rate change, it takes a new plan
 * @param options.folding false: steps never fold, for the gradients come from elsewhere
 */
export function planUpdate(
  { heap, store }: { heap: Heap; store: Store },
  optimizer: SetOptimizer,
  steps: number,
  { folding = true } = {},
): UpdatePlan {
  const { name, learningRate, clipNorm, clipValue } = optimizer;
  const { corrected } = optimizers[name];
  const { op, variant } = ruleOf(optimizer);
  const counter = counterOf(store, optimizer);
  const [power1, power2] = [optimizer.beta1, optimizer.beta2].map(powersOf);
  const changes = typeof learningRate !== "number" || corrected;
  const stride = changes ? Rate.columns * 8 : 0;
  const rates = heap.region((changes ? steps : 1) * Rate.columns * 8);
  const settings = heap.region(Setting.columns * 8);
  const settingOf = (setting: Setting): Region => ({ offset: settings.offset + 8 * setting, bytes: 8 });
  writeSettings(optimizer, heap.f64, settings.offset / 8);
  const gradients = folding && folds(store, optimizer) ? undefined : heap.region(store.region.bytes);

  const fill = (steps: number, rateOf: (step: number) => number): FilledRates => {
    const before = counter ? heap.f64[counter.offset / 8] : 0;
    const first = rates.offset / 8;
    const rows = changes ? steps : 1;
    let last = 0;
    let highest = 0;
    for (let step = 0; step < rows; step++) {
      last = rateOf(step);
      highest = Math.max(highest, last);
      const t = before + step + 1;
      writeRates(optimizer, last, power1(t), power2(t), heap.f64, first + step * Rate.columns);
    }
    return { last, highest };
  };

  const emit = (builder: ProgramBuilder): void => {
    if (!gradients) return;
    const trained = store.tensors.filter(({ trainable }) => trainable);
    const gradientOf = (region: Region) => store.within(gradients, region);
    for (const { region, shape, l1, l2 } of trained) {
      if (l1 === 0 && l2 === 0 && clipValue === undefined) continue;
      const cells = [builder.cell(l1), builder.cell(2 * l2), settingOf(Setting.clipValue)] as const;
      builder.adjust(gradientOf(region), region, sizeOf(shape), ...cells);
    }

    const factor = builder.cell(1);
    if (clipNorm !== undefined) {
      // Tensor by tensor, for nobody writes what lies between them.
      const chunks = trained.map(({ shape }) => chunksOf(sizeOf(shape)));
      const count = chunks.reduce((sum, own) => sum + own, 0);
      const sums = heap.region(count * 8);
      let { offset } = sums;
      for (const [index, { region, shape }] of trained.entries()) {
        const bytes = chunks[index] * 8;
        builder.squares({ offset, bytes }, gradientOf(region), sizeOf(shape));
        offset += bytes;
      }
      builder.clipFactor(factor, sums, count, settingOf(Setting.clipNorm));
    }

    const kept = regionsOf(store, optimizer);
    for (const run of store.trained) {
      const own = gradientOf(run);
      const slots = kept.map((slot) => slot && store.within(slot, run));
      builder.update(op, {
        parameters: run,
        gradients: own,
        // Without a velocity the gradients take its place: see momentum() in assembly/optimizers.ts.
        slots: slots.length === 1 && !slots[0] ? [own] : slots,
        size: run.bytes / heap.elementBytes,
        rates,
        stride,
        settings,
        factor,
        variant,
      });
    }

    for (const { region, shape, maxNorm } of trained) {
      const columns = shape[shape.length - 1];
      if (maxNorm < Number.POSITIVE_INFINITY)
        builder.maxNorm(region, sizeOf(shape) / columns, columns, builder.cell(maxNorm));
    }
    if (counter) builder.count(counter);
  };

  return { gradients, rates, stride, fill, emit };
}
