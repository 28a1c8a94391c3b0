// The network: what a user holds. It checks what it is given; plan.ts and training.ts do the work.

import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkSignal,
  quote,
  readOptions,
} from "./check.js";
import { type Format, type Rows, toSmallTable, toTable } from "./dataset.js";
import type { ArrayOf, DType } from "./dtype.js";
import { evaluate, evaluateInSlices } from "./evaluation.js";
import { canShareMemory } from "./executors/environment.js";
import type { Executor, ExecutorOptions } from "./executors/executor.js";
import { ReferenceExecutor } from "./executors/reference/executor.js";
import { WasmExecutor } from "./executors/wasm/executor.js";
import { Heap } from "./heap.js";
import type { Layer } from "./layers/layer.js";
import { defaultLoss, type Loss, type LossSettings, rowAfter, type SetLoss, setLoss } from "./losses.js";
import {
  type AsyncOptions,
  checkEvaluation,
  checkFit,
  checkLayers,
  checkRounded,
  checkShape,
  checkThreads,
  describeLayers,
  EVALUATE_OPTIONS,
  type EvaluateOptions,
  type ExecutorName,
  type Facts,
  type FiguresOf,
  type FitOptions,
  inputFormat,
  NETWORK_OPTIONS,
  type NetworkOptions,
  type PredictOptions,
  readFitOptions,
  smallerNetwork,
  tensorBytes,
  widthsText,
} from "./options.js";
import { isPending, Pacer } from "./pacing.js";
import { finish } from "./pieces.js";
import type { Model } from "./plan.js";
import { openTarget, Predictor } from "./prediction.js";
import { ProgramBuilder } from "./program/builder.js";
import { type Shape, sizeOf } from "./shape.js";
import type { Signal } from "./signal.js";
import { Store } from "./store.js";
import { summarize } from "./summary.js";
import { EVALUATION_BATCH } from "./sweep.js";
import { type EpochEntry, train } from "./training.js";
import type { Snapshot } from "./whole-steps.js";
import { INSPECT, notItself } from "./wrapped.js";

const executors: Record<ExecutorName, new (options: ExecutorOptions) => Executor> = {
  wasm: WasmExecutor,
  reference: ReferenceExecutor,
};
/** Multiplications of the shortest slice of a predictAsync: some milliseconds. */
const WORK_PER_SLICE = 2 ** 26;
const dtypes: Record<DType, true> = { float64: true, float32: true };

/** The model of a network, unless it is a Proxy that hides it. */
export let modelOf: (network: object) => Model;

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
 *
 * During a `fit`, `predict` and `evaluate` see whole steps only: in onEpoch and onBatch the step just done; at other
 * times, where a step is under way (on threads, or one that takes longer than a slice), the step that the slice under
 * way began with, or the epoch's beginning for the first call within a second.
 *
 * As a type, `Network` is a network of either element type, `Network<"float32">` one of that.
 */
export class Network<D extends DType = DType, const L extends readonly Layer[] = readonly Layer[]> {
  /** Values in a row of inputs. */
  readonly inputs: number;
  /** Values in a row of outputs. */
  readonly outputs: number;
  /** Shape of a row of inputs. */
  readonly inputShape: Shape;
  /** Shape of a row of outputs. */
  readonly outputShape: Shape;
  readonly layers: L;
  readonly seed: number;
  readonly dtype: D;
  readonly deterministic: boolean;
  /** Most threads that `fit` uses. */
  readonly threads: number;
  readonly executor: ExecutorName;
  readonly #model: Model;
  readonly #predictor: Predictor;
  readonly #inputFormat: Format;
  #loss: SetLoss;
  #fitting = false;

  static {
    modelOf = (network) => {
      if (typeof network !== "object" || !(#model in network)) throw notItself("Network");
      return network.#model;
    };
  }

  /** @throws RangeError or TypeError for unusable options; layers are then as unused as before */
  constructor(options: NetworkOptions<D, L>) {
    const given = readOptions<NetworkOptions<D, L>>("new Network", options, NETWORK_OPTIONS);
    const { seed = randomSeed(), dtype = "float64", threads: wanted = 1 } = given;
    const { inputScale = 1, deterministic = false, executor = "wasm" } = given;
    this.inputShape = checkShape("inputs", given.inputs);
    this.inputs = sizeOf(this.inputShape);
    this.seed = checkInteger("seed", seed, 0);
    this.dtype = checkChoice("dtype", dtype, dtypes) as D;
    this.deterministic = checkBoolean("deterministic", deterministic);
    this.executor = checkChoice("executor", executor, executors);
    if (!Number.isFinite(inputScale) || inputScale === 0) {
      throw new RangeError(`inputScale is ${quote(inputScale)}, but must be a finite number other than 0`);
    }
    checkRounded("inputScale", inputScale, this.dtype);
    this.layers = checkLayers(given.layers, this.dtype);
    const warn = checkFunction("onWarning", given.onWarning) ?? console.warn;
    const threads = checkThreads(wanted);
    this.threads = threads > 1 && executor === "wasm" && !canShareMemory(warn) ? 1 : threads;
    const descriptions = describeLayers(this.layers, this.inputShape);
    this.outputShape = Object.freeze([...descriptions[descriptions.length - 1].output]);
    this.outputs = sizeOf(this.outputShape);
    const { activation } = this.layers[this.layers.length - 1];
    const name = defaultLoss(activation);
    this.#loss = setLoss(rowAfter(name, activation)!, { name });

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
      dtype: this.dtype,
      layers: this.layers,
      descriptions,
      inputShape: this.inputShape,
      outputShape: this.outputShape,
      outputs: this.outputs,
      inputScale,
      epochsTrained: 0,
      threads: this.threads,
      autoThreads: wanted === "auto",
      density: undefined,
      wholeSteps: undefined,
      warn,
    };
    this.#predictor = new Predictor(this.#model);
    this.#inputFormat = inputFormat(this.facts);
    // Before any layer is attached: a network too large leaves its layers as they were.
    heap.reserve(
      tensorBytes(descriptions, this.dtype),
      smallerNetwork(this.inputShape, descriptions, this.dtype),
    );
    for (const [index, layer] of this.layers.entries()) {
      const input = index > 0 ? descriptions[index - 1].output : this.inputShape;
      layer.attach(store, input, store.reserve(`layers.${index}`, descriptions[index].tensors));
    }
    const mark = heap.top;
    const builder = new ProgramBuilder(heap);
    for (const [index, layer] of this.layers.entries()) layer.initialize(builder, this.seed, index);
    machine.run(builder.finish(), 0, 1);
    heap.release(mark);
  }

  /** Number of weights and biases. */
  get parameterCount(): number {
    return modelOf(this).store.tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * Trains the network by mini-batch gradient descent, from where it stands, and returns one entry an epoch.
   *
   * It works in slices of about 20 ms and lets the event loop turn in between, also while it checks and copies the
   * data: data that take longer than that, some ten megabytes, must be left alone until the first callback.
   *
   * @param inputs rows x inputs values, or an array of rows
   * @param targets rows x outputs values or an array of rows; for a softmax also one class index a row
   * @throws RangeError or TypeError, before anything changes, for unusable data or options; Error when the
   *   training diverges, the weights then being those of the last good epoch's end
   */
  async fit(inputs: Rows, targets: Rows, options: FitOptions = {}): Promise<EpochEntry[]> {
    const model = modelOf(this);
    const given = readFitOptions(options);
    if (this.#fitting) {
      throw new Error("this network is already in fit: await the first call before the next");
    }
    given.signal?.throwIfAborted();
    this.#fitting = true;
    try {
      const pacer = new Pacer(model.executor, { signal: given.signal });
      const checking = pacer.drive(checkFit(this.facts, inputs, targets, given));
      const settings = isPending(checking) ? await checking : checking;
      refuseWritten(model);
      this.#predictor.drop();
      return await train(model, settings, this.seed, {
        begun: () => {
          this.#loss = settings.loss;
        },
        // A plan of predict that was made meanwhile lay above the training's place.
        released: () => this.#predictor.forget(),
      });
    } finally {
      this.#fitting = false;
    }
  }

  /**
   * Loss and, for losses that classify, accuracy (0 to 1) over the data. It keeps the event loop waiting until it is
   * done: for more than some thousand rows see `evaluateAsync`.
   *
   * @throws RangeError or TypeError for unusable data; Error where a parameter or the loss is not finite
   */
  evaluate<G extends Loss | LossSettings | undefined = undefined>(
    inputs: Rows,
    targets: Rows,
    options: EvaluateOptions & { loss?: G } = {},
  ): FiguresOf<L, G> {
    const model = modelOf(this);
    const given = readOptions<EvaluateOptions>("evaluate", options, EVALUATE_OPTIONS);
    const evaluation = finish(checkEvaluation(this.facts, inputs, targets, given));
    refuseWritten(model);
    return evaluate(model, evaluation, model.wholeSteps?.read()) as FiguresOf<L, G>;
  }

  /**
   * As `evaluate`, in slices of about 20 ms, or of one batch of 256 rows, between which the event loop turns. It evaluates
   * the network as it is when this is called, whatever becomes of it meanwhile. Large data must be left alone until it is
   * done.
   *
   * @throws as `evaluate`, by rejecting, and with the signal's reason
   */
  async evaluateAsync<G extends Loss | LossSettings | undefined = undefined>(
    inputs: Rows,
    targets: Rows,
    options: EvaluateOptions & AsyncOptions & { loss?: G } = {},
  ): Promise<FiguresOf<L, G>> {
    const model = modelOf(this);
    const given = readOptions<EvaluateOptions & AsyncOptions>("evaluateAsync", options, [
      ...EVALUATE_OPTIONS,
      "signal",
    ]);
    const { pacer, parameters } = this.#slices(given.signal);
    const checking = pacer.drive(checkEvaluation(this.facts, inputs, targets, given));
    const evaluation = isPending(checking) ? await checking : checking;
    return (await evaluateInSlices(model, evaluation, parameters, pacer)) as FiguresOf<L, G>;
  }

  /**
   * The outputs for each row of inputs: rows x outputs values, row after row. It keeps the event loop waiting until it
   * is done: for more than some thousand rows see `predictAsync`.
   *
   * @throws RangeError or TypeError for unusable inputs, or an unusable `out`; Error where a parameter is not finite
   */
  predict(inputs: Rows, options?: PredictOptions<D>): ArrayOf<D> {
    const model = modelOf(this);
    const given =
      options === undefined ? undefined : readOptions<PredictOptions<D>>("predict", options, ["out"]);
    const table =
      toSmallTable(inputs, this.#inputFormat) ?? finish(toTable("inputs", inputs, this.#inputFormat));
    refuseWritten(model);
    const target = openTarget(model, table, given?.out);
    this.#predictor.run(target.table, target.output, model.wholeSteps?.read());
    return target.deliver() as ArrayOf<D>;
  }

  /**
   * As `predict`, in slices of about 20 ms between which the event loop turns. It uses the network as it is when this is
   * called, whatever becomes of it meanwhile. Large inputs must be left alone until it is done.
   *
   * @throws as `predict`, by rejecting, and with the signal's reason
   */
  async predictAsync(inputs: Rows, options: PredictOptions<D> & AsyncOptions = {}): Promise<ArrayOf<D>> {
    const model = modelOf(this);
    const { out, signal } = readOptions<PredictOptions<D> & AsyncOptions>("predictAsync", options, [
      "out",
      "signal",
    ]);
    const { pacer, parameters } = this.#slices(signal);
    const checking = pacer.drive(toTable("inputs", inputs, this.#inputFormat));
    const table = isPending(checking) ? await checking : checking;
    const target = openTarget(model, table, out);
    // Rows of a slice of a very large network are fewer than a batch.
    const step = Math.ceil(Math.min(EVALUATION_BATCH, WORK_PER_SLICE / this.parameterCount));
    await pacer.rows(table.rows, step, (from, to) =>
      this.#predictor.run(target.table, target.output, parameters, from, to),
    );
    return target.deliver() as ArrayOf<D>;
  }

  /** The layers, their shapes and parameters, as a table of text. */
  summary(): string {
    const { descriptions, density } = modelOf(this);
    const outputs = descriptions.map(({ output }) => output);
    return summarize(this, outputs, descriptions[0].takesSparse ? density : undefined);
  }

  /** What console.log shows in Node. @internal */
  [INSPECT](): string {
    const widths = widthsText(this.inputShape, modelOf(this).descriptions);
    return `Network ${widths}, ${this.parameterCount.toLocaleString("en")} parameters, ${this.dtype}`;
  }

  /**
   * The memory, for tests that compare executors.
   * @internal
   */
  get heap(): Heap {
    return modelOf(this).heap;
  }

  /** What a call in slices needs: a pacer, and the parameters as they are now, for they may change meanwhile. */
  #slices(signal: Signal | undefined): { pacer: Pacer; parameters: Snapshot } {
    const { executor, store, wholeSteps } = this.#model;
    checkSignal("signal", signal)?.throwIfAborted();
    refuseWritten(this.#model);
    const bytes = new Uint8Array(store.snapshotBytes());
    const steady = wholeSteps?.read();
    if (steady) bytes.set(steady.bytes.subarray(0, bytes.length));
    else store.snapshot(bytes);
    return { pacer: new Pacer(executor, { signal }), parameters: { bytes } };
  }

  /** What checks need to know of it. @internal */
  get facts(): Facts {
    const { inputShape, outputShape, dtype } = this;
    const { heap, inputScale, descriptions } = this.#model;
    const { activation } = this.layers[this.layers.length - 1];
    return {
      inputShape,
      outputShape,
      takesSparse: descriptions[0].takesSparse,
      dtype,
      inputScale,
      owns: (buffer) => heap.owns(buffer),
      activation,
      loss: this.#loss,
    };
  }
}

/** The class as users construct it: without a `dtype`, its outputs are of float64. */
export interface NetworkConstructor {
  new <const L extends readonly Layer[]>(
    options: NetworkOptions<"float64", L> & { dtype?: "float64" | undefined },
  ): Network<"float64", L>;
  new <D extends DType, const L extends readonly Layer[]>(options: NetworkOptions<D, L>): Network<D, L>;
  readonly prototype: Network;
}

function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 53);
}

/** Refuses parameters that are NaN or infinite, where a user may have written them. */
function refuseWritten({ store }: Model): void {
  const written = store.written();
  if (written === undefined) return;
  throw new Error(
    `${written}, but weights and biases must be finite. It was written through a live view: write a finite number there`,
  );
}
