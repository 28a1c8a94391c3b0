// The network: what a user holds. It checks what it is given; plan.ts and training.ts do the work.

import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkOptions,
  checkPositive,
  checkSignal,
  quote,
} from "./check.js";
import { type Rows, sliceRows, type Table, type TargetKind, type Targets, toTable, toTargets } from "./dataset.js";
import type { DType, FloatArray } from "./dtype.js";
import type { Executor, Program } from "./executors/executor.js";
import { ReferenceExecutor } from "./executors/reference/executor.js";
import { WasmExecutor } from "./executors/wasm/executor.js";
import { availableThreads, canShareMemory, MOST_THREADS } from "./executors/wasm/environment.js";
import { Heap } from "./heap.js";
import { Dense } from "./layers/dense.js";
import { defaultLoss, type Loss, lossRow, losses } from "./losses.js";
import { copyInto, type Figures, type Model, planLoss, planPredict, place, SPARSE_BELOW, Statistics } from "./plan.js";
import { ProgramBuilder } from "./program.js";
import { Store } from "./store.js";
import { type BatchEntry, type EpochEntry, EVALUATION_BATCH, evaluate, type Settings, train } from "./training.js";

const executors = { wasm: WasmExecutor, reference: ReferenceExecutor };
const dtypes: Record<DType, true> = { float64: true, float32: true };

/** Name of an executor: the compiled kernels, or the same program in plain TypeScript. */
export type ExecutorName = keyof typeof executors;

export interface NetworkOptions {
  /** Values in a row of inputs. */
  inputs: number;
  /** The layers, first to last. */
  layers: readonly Dense[];
  /**
   * Seed of everything random (initial weights, shuffling): an integer from 0 to 2^53 - 1. The same seed
   * gives the same network, bit for bit. Default: a random one, readable as `network.seed`.
   */
  seed?: number;
  /** Element type of parameters and arithmetic; default "float64". */
  dtype?: DType;
  /**
   * Threads to train on: an integer from 1 to 64 (default 1), or "auto": up to one a core, fewer where a step
   * is too small to share. With more than one, `fit` computes on worker threads and leaves the calling one
   * free. The number of threads changes no bit of the results.
   */
  threads?: number | "auto";
  /**
   * Called once a process, with what happened and the way out, where threads were asked for but memory cannot
   * be shared (a page without cross-origin isolation): training then runs on one thread, with the same
   * results. Default console.warn.
   */
  onWarning?: (message: string) => void;
  /** Every input is multiplied by this as it is read; 1 / 255 suits 8-bit pixels. Default 1. */
  inputScale?: number;
  /**
   * Whether the results must be the same bits on every machine and both executors. It costs the fused
   * multiply-add that newer engines offer; without it the same seed still gives the same bits wherever that
   * instruction is there. Default false.
   */
  deterministic?: boolean;
  /** "wasm" (default), or "reference": plain TypeScript, slow, for where WebAssembly is blocked. */
  executor?: ExecutorName;
}

export interface FitOptions {
  /** Passes over the data; default 1. */
  epochs?: number;
  /** Rows a step; the last, smaller batch counts. Default 32. */
  batchSize?: number;
  /** Step size of plain SGD, w = w - learningRate * gradient. Default 0.01. */
  learningRate?: number;
  /** Whether to visit the rows in a new random order each epoch; default true. */
  shuffle?: boolean;
  /** Default: what fits the last activation; softmax: crossEntropy, sigmoid: binaryCrossEntropy, else meanSquaredError. */
  loss?: Loss;
  /** Inputs and targets to evaluate after each epoch. */
  validationData?: readonly [inputs: Rows, targets: Rows];
  /** Share of the rows, from the end, to keep for validation: above 0, below 1. */
  validationSplit?: number;
  /** Called, and awaited, after each epoch. */
  onEpoch?: (entry: EpochEntry) => unknown;
  /** Called, and awaited, after each batch. */
  onBatch?: (entry: BatchEntry) => unknown;
  /** Aborts the training: `fit` rejects with the signal's reason, the weights stay as they are then. */
  signal?: AbortSignal;
}

export interface EvaluateOptions {
  /** Default: the loss of the last `fit`, or what fits the last activation. */
  loss?: Loss;
}

const NETWORK_OPTIONS = ["inputs", "layers", "seed", "dtype", "threads", "onWarning", "inputScale", "deterministic", "executor"];
const FIT_OPTIONS = [
  "epochs",
  "batchSize",
  "learningRate",
  "shuffle",
  "loss",
  "validationData",
  "validationSplit",
  "onEpoch",
  "onBatch",
  "signal",
];

/**
 * A feed-forward neural network.
 *
 * ```ts
 * const network = new Network({ inputs: 2, layers: [new Dense(8, { activation: "tanh" }), new Dense(1)] });
 * await network.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], { epochs: 1000, learningRate: 0.5 });
 * network.predict([0, 1]); // Float64Array [0.99...]
 * ```
 *
 * It owns its memory, which goes when it does: there is nothing to dispose.
 */
export class Network {
  /** Values in a row of inputs. */
  readonly inputs: number;
  /** Values in a row of outputs. */
  readonly outputs: number;
  readonly layers: readonly Dense[];
  readonly seed: number;
  readonly dtype: DType;
  readonly deterministic: boolean;
  /** Most threads that `fit` uses. */
  readonly threads: number;
  readonly executor: ExecutorName;
  readonly #model: Model;
  #loss: Loss;
  #fitting = false;
  #predictor: Predictor | undefined;

  /** @throws RangeError or TypeError for unusable options; layers are then as unused as before */
  constructor(options: NetworkOptions) {
    checkOptions("new Network", options, NETWORK_OPTIONS);
    const { layers, seed = randomSeed(), dtype = "float64", inputScale = 1, deterministic = false, executor = "wasm" } = options;
    this.inputs = checkInteger("inputs", options.inputs, 1);
    this.seed = checkInteger("seed", seed, 0);
    this.dtype = checkChoice("dtype", dtype, dtypes);
    this.deterministic = checkBoolean("deterministic", deterministic);
    this.executor = checkChoice("executor", executor, executors);
    if (!Number.isFinite(inputScale) || inputScale === 0) {
      throw new RangeError(`inputScale is ${quote(inputScale)}, but must be a finite number other than 0`);
    }
    this.layers = checkLayers(layers);
    const onWarning = checkFunction("onWarning", options.onWarning) ?? console.warn;
    const threads = checkThreads(options.threads ?? 1);
    this.threads = threads > 1 && executor === "wasm" && !canShareMemory(onWarning) ? 1 : threads;
    this.outputs = this.layers[this.layers.length - 1].size;
    this.#loss = defaultLoss(this.layers[this.layers.length - 1].activation);

    const machine: Executor = new executors[this.executor]({
      dtype: this.dtype,
      deterministic,
      shared: this.threads > 1,
    });
    const heap = new Heap(machine, this.dtype);
    const store = new Store(heap);
    this.#model = {
      executor: machine,
      heap,
      store,
      layers: this.layers,
      inputs: this.inputs,
      outputs: this.outputs,
      inputScale,
      epochsTrained: 0,
      threads: this.threads,
      autoThreads: options.threads === "auto",
      density: undefined,
    };
    // Before any layer is attached: a network too large leaves its layers as they were.
    heap.reserve(parameterBytes(this.inputs, this.layers));
    let width = this.inputs;
    for (const layer of this.layers) {
      layer.attach(store, width);
      width = layer.size;
    }
    const mark = heap.top;
    const builder = new ProgramBuilder(heap);
    for (const [index, layer] of this.layers.entries()) layer.initialize(builder, this.seed, index);
    machine.run(builder.finish(), 0, 1);
    heap.release(mark);
  }

  /** Number of weights and biases. */
  get parameterCount(): number {
    return this.layers.reduce((sum, layer) => sum + layer.parameterCount, 0);
  }

  /**
   * Trains the network by mini-batch gradient descent, from where it stands, and returns one entry an epoch.
   *
   * It works in slices of about 20 ms and lets the event loop turn in between.
   *
   * @param inputs rows x inputs values, or an array of rows
   * @param targets rows x outputs values or an array of rows; for a softmax also one class index a row
   * @throws RangeError or TypeError, before anything changes, for unusable data or options; Error when the
   *   training diverges, the weights then being those of the last good epoch's end
   */
  async fit(inputs: Rows, targets: Rows, options: FitOptions = {}): Promise<EpochEntry[]> {
    if (this.#fitting) {
      throw new Error("this network is already in fit: await the first call before the next");
    }
    const settings = this.#settings(inputs, targets, options);
    settings.signal?.throwIfAborted();
    this.#fitting = true;
    this.#dropPredictor();
    this.#loss = settings.loss;
    try {
      return await train(this.#model, settings);
    } finally {
      // train() has released everything above its own start, a plan of predict made meanwhile included.
      this.#predictor = undefined;
      this.#fitting = false;
    }
  }

  /**
   * Loss and, for losses that classify, accuracy (0 to 1) over the data.
   *
   * @throws RangeError or TypeError for unusable data
   */
  evaluate(inputs: Rows, targets: Rows, options: EvaluateOptions = {}): Figures {
    checkOptions("evaluate", options, ["loss"]);
    const loss = this.#checkLoss(options.loss ?? this.#loss);
    const [x, t] = this.#checkData(["inputs", "targets"], inputs, targets, loss);
    this.#dropPredictor();
    return evaluate(this.#model, x, t, loss);
  }

  /**
   * The outputs for each row of inputs: rows x outputs values, row after row.
   *
   * @throws RangeError or TypeError for unusable inputs
   */
  predict(inputs: Rows): FloatArray {
    const table = toTable("inputs", inputs, this.inputs, "inputs");
    const { rows } = table;
    const wide = this.dtype === "float64";
    const output = wide ? new Float64Array(rows * this.outputs) : new Float32Array(rows * this.outputs);
    for (let from = 0; from < rows; ) {
      const chunk = Math.min(EVALUATION_BATCH, rows - from);
      this.#predict(sliceRows(table, from, from + chunk), output, from);
      from += chunk;
    }
    return output;
  }

  /** The layers, their shapes and parameters, as a table of text. */
  summary(): string {
    const rows = [["layer", "activation", "output", "parameters"]];
    rows.push(["input", "", String(this.inputs), "0"]);
    for (const layer of this.layers) {
      rows.push(["Dense", layer.activation, String(layer.size), layer.parameterCount.toLocaleString("en")]);
    }
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    const line = (row: string[]) =>
      row
        .map((text, column) => (column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
        .join("  ");
    const table = rows.map(line);
    const total = this.parameterCount;
    const { density } = this.#model;
    const kibibytes = (total * (this.dtype === "float64" ? 8 : 4)) / 1024;
    return [
      table[0],
      "-".repeat(table[0].length),
      ...table.slice(1),
      "-".repeat(table[0].length),
      `${total.toLocaleString("en")} parameters, ${kibibytes.toFixed(1)} KiB, ${this.dtype}, ` +
        `executor ${this.executor}, seed ${this.seed}`,
      ...(density === undefined
        ? []
        : [
            `${(density * 100).toFixed(0)} % of the inputs last trained on are not zero: the first layer ` +
              (density < SPARSE_BELOW ? "walks only those" : "multiplies them all"),
          ]),
    ].join("\n");
  }

  /**
   * Loss and gradients of one batch, laid out as the parameters are.
   * @internal
   */
  gradients(inputs: Rows, targets: Rows, { loss = this.#loss }: { loss?: Loss } = {}) {
    const [x, t] = this.#checkData(["inputs", "targets"], inputs, targets, this.#checkLoss(loss));
    this.#dropPredictor();
    const { heap, store, executor } = this.#model;
    const mark = heap.top;
    try {
      const output = heap.allocate(store.bytes);
      const statistics = new Statistics(heap);
      const placed = place(heap, x, t, 0, x.rows);
      const purpose = { kind: "gradients", output } as const;
      executor.run(planLoss(this.#model, loss, placed.inputs, placed.targets, x.rows, statistics.offset, purpose), 0, 1);
      const of = (view: FloatArray) => heap.elements(output + view.byteOffset - store.begin, view.length).slice();
      const gradients = this.layers.map(({ weights, biases }) => ({ weights: of(weights), biases: of(biases) }));
      const figures = statistics.over(x.rows, loss, this.outputs);
      return { ...figures, layers: gradients };
    } finally {
      heap.release(mark);
    }
  }

  /**
   * The memory, for tests that compare executors.
   * @internal
   */
  get heap(): Heap {
    return this.#model.heap;
  }

  #predict(table: Table, output: FloatArray, from: number): void {
    const { heap, executor } = this.#model;
    let predictor = this.#predictor;
    if (predictor?.rows !== table.rows || predictor.dataType !== table.dataType) {
      this.#dropPredictor();
      const mark = heap.top;
      try {
        const data = heap.allocate(table.data.byteLength);
        const placed = { data, order: 0, batch: table.rows, dataType: table.dataType };
        const plan = planPredict(this.#model, placed, table.rows);
        predictor = { ...plan, mark, data, rows: table.rows, dataType: table.dataType };
      } catch (error) {
        heap.release(mark);
        throw error;
      }
      this.#predictor = predictor;
    }
    copyInto(heap, predictor.data, table);
    executor.run(predictor.program, 0, 1);
    output.set(heap.elements(predictor.output, table.rows * this.outputs), from * this.outputs);
  }

  /** The plan of predict stays on top of the heap between calls; whoever plans next drops it. */
  #dropPredictor(): void {
    if (this.#predictor) this.#model.heap.release(this.#predictor.mark);
    this.#predictor = undefined;
  }

  #settings(inputs: Rows, targets: Rows, options: FitOptions): Settings {
    checkOptions("fit", options, FIT_OPTIONS);
    const { epochs = 1, batchSize = 32, learningRate = 0.01, shuffle = true, validationData, validationSplit } = options;
    const loss = this.#checkLoss(options.loss ?? this.#loss);
    const checked = {
      epochs: checkInteger("epochs", epochs, 1),
      batchSize: checkInteger("batchSize", batchSize, 1),
      learningRate: checkPositive("learningRate", learningRate),
      shuffle: checkBoolean("shuffle", shuffle),
      onEpoch: checkFunction("onEpoch", options.onEpoch),
      onBatch: checkFunction("onBatch", options.onBatch),
      signal: checkSignal("signal", options.signal),
      seed: this.seed,
      loss,
    };
    const [x, t] = this.#checkData(["inputs", "targets"], inputs, targets, loss);
    if (validationData !== undefined && validationSplit !== undefined) {
      throw new TypeError("both validationData and validationSplit are given: pass one of them");
    }
    if (validationData !== undefined) {
      if (!Array.isArray(validationData) || validationData.length !== 2) {
        throw new TypeError(`validationData is ${quote(validationData)}, but must be [inputs, targets]`);
      }
      const names: [string, string] = ["validationData[0]", "validationData[1]"];
      const [validationInputs, validationTargets] = this.#checkData(names, validationData[0], validationData[1], loss);
      return { ...checked, inputs: x, targets: t, validation: { inputs: validationInputs, targets: validationTargets } };
    }
    if (validationSplit === undefined) return { ...checked, inputs: x, targets: t, validation: undefined };
    const kept = Math.round(x.rows * validationSplit);
    if (!(kept >= 1 && kept < x.rows)) {
      throw new RangeError(
        `validationSplit is ${quote(validationSplit)}, which leaves ${x.rows - kept} of ${x.rows} rows for training ` +
          `and ${kept} for validation: it must be a share between 0 and 1 that leaves rows on both sides`,
      );
    }
    const first = x.rows - kept;
    return {
      ...checked,
      inputs: sliceRows(x, 0, first),
      targets: sliceRows(t, 0, first),
      validation: { inputs: sliceRows(x, first, x.rows), targets: sliceRows(t, first, x.rows) },
    };
  }

  #checkData(names: readonly [string, string], inputs: Rows, targets: Rows, loss: Loss): [Table, Targets] {
    const x = toTable(names[0], inputs, this.inputs, "inputs");
    const kinds: Record<Loss, TargetKind> = {
      meanSquaredError: "any",
      binaryCrossEntropy: "probability",
      crossEntropy: "distribution",
    };
    return [x, toTargets(names[1], targets, x.rows, this.outputs, kinds[loss])];
  }

  #checkLoss(loss: Loss): Loss {
    checkChoice("loss", loss, losses);
    const last = this.layers[this.layers.length - 1].activation;
    const { fused } = lossRow(loss);
    if (fused !== undefined && fused !== last) {
      throw new RangeError(
        `loss is "${loss}", which is computed together with ${fused}, but the last layer's activation is ` +
          `"${last}": give the last layer activation "${fused}", or choose loss "${defaultLoss(last)}"`,
      );
    }
    return loss;
  }
}

/** The plan that predict keeps: for `rows` rows of one data type. */
interface Predictor {
  mark: number;
  data: number;
  rows: number;
  dataType: number;
  program: Program;
  output: number;
}

function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 53);
}

/** Room for the parameters, in the wider type, with the alignment of each region. */
function parameterBytes(inputs: number, layers: readonly Dense[]): number {
  let bytes = 0;
  let width = inputs;
  for (const { size } of layers) {
    bytes += (width + 1) * size * 8 + 128;
    width = size;
  }
  return bytes;
}

function checkThreads(threads: unknown): number {
  if (threads === "auto") return availableThreads();
  if (typeof threads === "number") return checkInteger("threads", threads, 1, MOST_THREADS);
  throw new TypeError(`threads is ${quote(threads)}, but must be an integer from 1 to ${MOST_THREADS}, or "auto"`);
}

function checkLayers(layers: readonly Dense[]): readonly Dense[] {
  if (!Array.isArray(layers)) {
    throw new TypeError(`layers is ${quote(layers)}, but must be an array of layers, e.g. [new Dense(10)]`);
  }
  if (layers.length === 0) {
    throw new RangeError("layers is empty, but a network needs at least one layer, e.g. [new Dense(10)]");
  }
  for (const [index, layer] of layers.entries()) {
    if (!(layer instanceof Dense)) {
      throw new TypeError(`layers[${index}] is ${quote(layer)}, but must be a layer, e.g. new Dense(10)`);
    }
    if (layer.isAttached || layers.indexOf(layer) !== index) {
      throw new Error(
        `layers[${index}] is already part of a network: a layer owns its weights, so make a new one, ` +
          `new Dense(${layer.size}, { activation: "${layer.activation}" })`,
      );
    }
    if (layer.activation === "softmax" && index < layers.length - 1) {
      throw new RangeError(
        `layers[${index}] has activation "softmax" but is not the last layer: softmax makes the outputs ` +
          "of a layer compete to sum to 1, which belongs at the end of a classifier; " +
          'use "relu", "tanh" or "sigmoid" inside',
      );
    }
  }
  return Object.freeze([...layers]);
}
