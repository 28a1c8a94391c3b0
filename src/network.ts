// The network: what a user holds. It checks what it is given; plan.ts and training.ts do the work.

import { checkBoolean, checkChoice, checkFunction, checkInteger, checkOptions, quote } from "./check.js";
import { type Rows, sliceRows, type Table, toTable } from "./dataset.js";
import type { DType, FloatArray } from "./dtype.js";
import { canShareMemory } from "./executors/environment.js";
import type { Executor, ExecutorOptions, Program } from "./executors/executor.js";
import { ReferenceExecutor } from "./executors/reference/executor.js";
import { WasmExecutor } from "./executors/wasm/executor.js";
import { Heap } from "./heap.js";
import type { Dense } from "./layers/dense.js";
import { defaultLoss, type Loss } from "./losses.js";
import {
  checkData,
  checkFit,
  checkLayers,
  checkLoss,
  checkThreads,
  type EvaluateOptions,
  type ExecutorName,
  type FitOptions,
  NETWORK_OPTIONS,
  type NetworkOptions,
  type PredictOptions,
  parameterBytes,
  type Shape,
} from "./options.js";
import {
  copyInto,
  type Figures,
  type Model,
  place,
  planLoss,
  planPredict,
  SPARSE_BELOW,
  Statistics,
} from "./plan.js";
import { ProgramBuilder } from "./program.js";
import { Store } from "./store.js";
import { type EpochEntry, EVALUATION_BATCH, evaluate, train } from "./training.js";

const executors: Record<ExecutorName, new (options: ExecutorOptions) => Executor> = {
  wasm: WasmExecutor,
  reference: ReferenceExecutor,
};
const dtypes: Record<DType, true> = { float64: true, float32: true };

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
    const {
      layers,
      seed = randomSeed(),
      dtype = "float64",
      inputScale = 1,
      deterministic = false,
      executor = "wasm",
    } = options;
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
    const settings = checkFit(this.#shape, inputs, targets, options);
    settings.signal?.throwIfAborted();
    this.#fitting = true;
    this.#dropPredictor();
    this.#loss = settings.loss;
    try {
      return await train(this.#model, settings, this.seed);
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
    const loss = checkLoss(this.#shape, options.loss ?? this.#loss);
    const [x, t] = checkData(this.#shape, ["inputs", "targets"], inputs, targets, loss);
    this.#dropPredictor();
    return evaluate(this.#model, x, t, loss);
  }

  /**
   * The outputs for each row of inputs: rows x outputs values, row after row.
   *
   * @throws RangeError or TypeError for unusable inputs, or an unusable `out`
   */
  predict(inputs: Rows, { out }: PredictOptions = {}): FloatArray {
    const table = toTable("inputs", inputs, this.inputs, "inputs");
    const { rows } = table;
    const FloatArray = this.dtype === "float64" ? Float64Array : Float32Array;
    const output = out ?? new FloatArray(rows * this.outputs);
    if (!(output instanceof FloatArray) || output.length !== rows * this.outputs) {
      throw new RangeError(
        `out is ${quote(out)}, but must be a ${FloatArray.name} of ${rows} x ${this.outputs} elements`,
      );
    }
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
    const [x, t] = checkData(
      this.#shape,
      ["inputs", "targets"],
      inputs,
      targets,
      checkLoss(this.#shape, loss),
    );
    this.#dropPredictor();
    const { heap, store, executor } = this.#model;
    const mark = heap.top;
    try {
      const output = heap.allocate(store.bytes);
      const statistics = new Statistics(heap);
      const placed = place(heap, x, t, 0, x.rows);
      const purpose = { kind: "gradients", output } as const;
      executor.run(
        planLoss(this.#model, loss, placed.inputs, placed.targets, x.rows, statistics.offset, purpose),
        0,
        1,
      );
      const of = (view: FloatArray) =>
        heap.elements(output + view.byteOffset - store.begin, view.length).slice();
      const gradients = this.layers.map(({ weights, biases }) => ({
        weights: of(weights),
        biases: of(biases),
      }));
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

  get #shape(): Shape {
    const { activation } = this.layers[this.layers.length - 1];
    return { inputs: this.inputs, outputs: this.outputs, activation, loss: this.#loss };
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
