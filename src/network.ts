// The network: what a user holds. It checks what it is given; plan.ts and training.ts do the work.

import type { EpochEntry } from "./callbacks/callback.js";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkSignal,
  readOptions,
  wrongValue,
} from "./check.js";
import { checkRounded, type Facts, formatsOf } from "./checks/data.js";
import { checkFit, checkStream } from "./checks/fit.js";
import { checkEvaluation } from "./checks/loss.js";
import {
  checkExecutor,
  checkLayers,
  checkShape,
  checkThreads,
  describeLayers,
  lastLayer,
  smallerNetwork,
  tensorBytes,
  widthsText,
} from "./checks/network.js";
import { checkApplyGradients, checkGradients, checkTrainBatch } from "./checks/steps.js";
import { type Rows, toSmallTable, toTable } from "./dataset.js";
import type { ArrayOf, DType } from "./dtype.js";
import { entranceOf } from "./entrance.js";
import { evaluate, evaluateInSlices } from "./evaluation.js";
import { canShareMemory } from "./executors/environment.js";
import { WasmExecutor } from "./executors/wasm/executor.js";
import { Heap } from "./heap.js";
import type { Layer } from "./layers/layer.js";
import { defaultLoss, type Loss, type LossSettings, rowAfter, type SetLoss, setLoss } from "./losses.js";
import {
  type ApplyGradientsOptions,
  type AsyncOptions,
  EVALUATE_OPTIONS,
  type EvaluateOptions,
  type ExecutorName,
  type FiguresOf,
  type FitOptions,
  type GradientsOptions,
  NETWORK_OPTIONS,
  type NetworkOptions,
  type PredictOptions,
  readFitOptions,
  type TrainBatchOptions,
} from "./options.js";
import { isPending, Pacer } from "./pacing.js";
import { finish } from "./pieces.js";
import type { Model } from "./plan.js";
import { openTarget, Predictor } from "./prediction.js";
import { ProgramBuilder } from "./program/builder.js";
import { Residents } from "./residents.js";
import { type Shape, sizeOf } from "./shape.js";
import type { Signal } from "./signal.js";
import { applyGradients, type Gradients, gradientsOf, type LossGradients, trainBatch } from "./steps.js";
import { Store } from "./store.js";
import { type BatchStream, isStream } from "./stream.js";
import { summarize } from "./summary.js";
import { EVALUATION_BATCH } from "./sweep.js";
import { train } from "./training.js";
import type { Snapshot } from "./whole-steps.js";
import { INSPECT, notItself } from "./wrapped.js";

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
  /** What checks need to know of it. */
  #facts: Facts;
  #fitting = false;

  static {
    modelOf = (network) => {
      if (typeof network !== "object" || network === null || !(#model in network)) throw notItself("Network");
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
    const kind = checkExecutor(executor);
    this.executor = kind?.name ?? "wasm";
    if (!Number.isFinite(inputScale) || inputScale === 0) {
      throw wrongValue("inputScale", inputScale, "a finite number other than 0");
    }
    checkRounded("inputScale", inputScale, this.dtype);
    this.layers = checkLayers(given.layers, this.dtype);
    const warn = checkFunction("onWarning", given.onWarning) ?? console.warn;
    const threads = checkThreads(wanted);
    this.threads = threads > 1 && !kind && !canShareMemory(warn) ? 1 : threads;
    const descriptions = describeLayers(this.layers, this.inputShape);
    const last = lastLayer(this.layers, descriptions);
    this.outputShape = Object.freeze([...descriptions[descriptions.length - 1].output]);
    this.outputs = sizeOf(this.outputShape);
    const entrance = entranceOf(this.layers, descriptions, inputScale);
    checkRounded("the product of inputScale and Rescaling", entrance.scale, this.dtype);

    const settings = { dtype: this.dtype, deterministic, shared: this.threads > 1 };
    const machine = kind ? kind.make(settings) : new WasmExecutor(settings);
    const heap = new Heap(machine, this.dtype);
    const store = new Store(heap);
    this.#model = {
      executor: machine,
      heap,
      store,
      residents: new Residents(heap),
      dtype: this.dtype,
      layers: this.layers,
      descriptions,
      last,
      inputShape: this.inputShape,
      outputShape: this.outputShape,
      outputs: this.outputs,
      inputScale,
      entrance,
      epochsTrained: 0,
      stepsTrained: 0,
      threads: this.threads,
      autoThreads: wanted === "auto",
      density: undefined,
      wholeSteps: undefined,
      warn,
    };
    this.#predictor = new Predictor(this.#model);
    this.#facts = this.#makeFacts();
    // Before any layer is attached: a network too large leaves its layers as they were.
    heap.reserve(
      tensorBytes(descriptions, this.dtype),
      smallerNetwork(this.inputShape, descriptions, this.dtype),
    );
    for (const [index, layer] of this.layers.entries()) {
      const input = index > 0 ? descriptions[index - 1].output : this.inputShape;
      layer.attach(store, input, store.reserve(`layers.${index}`, descriptions[index].tensors, layer));
    }
    const mark = heap.top;
    const builder = new ProgramBuilder(heap);
    for (const [index, layer] of this.layers.entries()) layer.initialize(builder, this.seed, index);
    machine.run(builder.finish(), 0, 1);
    for (const layer of this.layers) layer.initialized?.();
    heap.release(mark);
  }

  /** Number of weights, biases and what else the layers hold. */
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
  fit(inputs: Rows, targets: Rows, options?: FitOptions<Network>): Promise<EpochEntry[]>;
  /**
   * Trains on batches that come one after the other, each a step, for data larger than memory: the next one is read while
   * one is trained. An epoch is all batches of the stream, or `stepsPerEpoch` of them.
   *
   * ```ts
   * await network.fit(async function* () { for await (const rows of readFiles()) yield [rows.x, rows.y]; }, { epochs: 3 });
   * ```
   *
   * @param batches an iterable of [inputs, targets] or [inputs, targets, sampleWeights], async or not, or a function that
   *   makes one for each epoch, such as a generator function
   * @throws as above, and what the iterable throws; the weights are then those of the last whole step
   */
  fit(batches: BatchStream, options?: FitOptions<Network>): Promise<EpochEntry[]>;
  async fit(
    first: Rows | BatchStream,
    second?: Rows | FitOptions<Network>,
    third?: FitOptions<Network>,
  ): Promise<EpochEntry[]> {
    const model = modelOf(this);
    const stream = isStream(first) ? first : undefined;
    if (stream && third) {
      throw new TypeError("fit takes batches of [inputs, targets] and options: there are no targets besides");
    }
    const { [stream ? 1 : 2]: options = {} } = [first, second, third];
    const given = readFitOptions(options as FitOptions);
    if (this.#fitting) {
      throw new Error("this network is already in fit: await the first call before the next");
    }
    given.signal?.throwIfAborted();
    this.#fitting = model.store.training = true;
    try {
      const pacer = new Pacer(model.executor, { signal: given.signal });
      const checking = pacer.drive(
        stream
          ? checkStream(this.#facts, stream, given)
          : checkFit(this.#facts, first as Rows, second as Rows, given),
      );
      const settings = isPending(checking) ? await checking : checking;
      refuseWritten(model);
      model.residents.drop();
      return await train(model, settings, this.seed, {
        network: this,
        begun: () => {
          this.#useLoss(settings.loss);
        },
        // A plan that was made meanwhile lay above the training's place.
        released: () => model.residents.forget(),
      });
    } finally {
      this.#fitting = model.store.training = false;
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
    const evaluation = finish(checkEvaluation(this.#facts, inputs, targets, given));
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
    const checking = pacer.drive(checkEvaluation(this.#facts, inputs, targets, given));
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
      toSmallTable(inputs, this.#facts.formats.inputs) ??
      finish(toTable("inputs", inputs, this.#facts.formats.inputs));
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
    const checking = pacer.drive(toTable("inputs", inputs, this.#facts.formats.inputs));
    const table = isPending(checking) ? await checking : checking;
    const target = openTarget(model, table, out);
    // Rows of a slice of a very large network are fewer than a batch.
    const step = Math.ceil(Math.min(EVALUATION_BATCH, WORK_PER_SLICE / this.parameterCount));
    await pacer.rows(table.rows, step, (from, to) =>
      this.#predictor.run(target.table, target.output, parameters, from, to),
    );
    return target.deliver() as ArrayOf<D>;
  }

  /**
   * Trains one step on a batch, at once, and returns its mean loss before the step: for loops of your own, as in
   * reinforcement and incremental learning. From the second call with as many rows on it allocates and plans nothing.
   *
   * What the optimizer keeps (a velocity, moments) is that of `fit`: both go on from where the other ended. A schedule counts
   * all steps that the network was trained; epochs are those of `fit`.
   *
   * @param inputs as of `fit`: all rows are the batch
   * @throws as `fit`; Error when the loss is not finite, or while a fit is under way: nothing is changed then
   */
  trainBatch(inputs: Rows, targets: Rows, options: TrainBatchOptions = {}): number {
    const model = modelOf(this);
    const { batch, optimizer } = checkTrainBatch(this.#facts, inputs, targets, options);
    this.#refuseDuringFit("trainBatch");
    refuseWritten(model);
    const loss = trainBatch(model, batch, optimizer);
    this.#useLoss(batch.loss);
    return loss;
  }

  /**
   * The mean loss of a batch and its gradients: of every parameter, as `gradients.layers[0].weights`, and of the inputs,
   * `gradients.inputs`, rows x inputs values (saliency). No parameter changes.
   *
   * @throws as `evaluate`
   */
  gradients(inputs: Rows, targets: Rows, options: GradientsOptions = {}): LossGradients {
    const model = modelOf(this);
    const { batch, training } = checkGradients(this.#facts, inputs, targets, options);
    refuseWritten(model);
    return gradientsOf(model, batch, { training });
  }

  /**
   * Makes one step of an optimizer by gradients, those that `gradients` returned, or others of the same form: sums or means
   * of several, or clipped ones.
   *
   * @throws RangeError for gradients of another form, or not finite; Error while a fit is under way
   */
  applyGradients(gradients: Gradients, options: ApplyGradientsOptions = {}): void {
    const model = modelOf(this);
    const { arrays, optimizer } = checkApplyGradients(this.#facts, model.store.tensors, gradients, options);
    this.#refuseDuringFit("applyGradients");
    refuseWritten(model);
    applyGradients(model, arrays, optimizer);
  }

  /**
   * Takes over the parameters of a network with the same layers, or moves towards them: w = tau * other + (1 - tau) * w. A
   * small tau (0.005) is the soft update of target networks in reinforcement learning; states that training changes
   * otherwise, such as running means, move alike. What optimizers keep stays.
   *
   * @param options.tau share of the other, above 0, at most 1 (default)
   * @throws RangeError where a tensor is not there or has another shape; Error while a fit of this one is under way
   */
  copyWeightsFrom(other: Network, options: { tau?: number } = {}): void {
    const { store } = modelOf(this);
    const { tau = 1 } = readOptions<{ tau?: number }>("copyWeightsFrom", options, ["tau"]);
    if (!(typeof tau === "number" && tau > 0 && tau <= 1)) {
      throw wrongValue("tau", tau, "above 0 and at most 1");
    }
    this.#refuseDuringFit("copyWeightsFrom");
    const source = modelOf(other);
    store.blend(source.store, tau, source.wholeSteps?.read()?.bytes);
  }

  #refuseDuringFit(call: string): void {
    if (this.#fitting) throw new Error(`this network is in fit: await that before ${call}`);
  }

  /** The layers, their shapes and parameters, as a table of text. */
  summary(): string {
    const { descriptions, density, entrance, store } = modelOf(this);
    const outputs = descriptions.map(({ output }) => output);
    return summarize(this, outputs, countTrained(store), entrance.takesSparse ? density : undefined);
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

  /** @internal */
  get facts(): Facts {
    return this.#facts;
  }

  #useLoss(loss: SetLoss): void {
    this.#facts.loss = loss;
  }

  #makeFacts(): Facts {
    const { inputShape, outputShape, dtype, layers } = this;
    const { heap, inputScale, entrance, descriptions, last } = this.#model;
    const activation = this.layers[last]?.activation;
    const name = defaultLoss(activation);
    const facts = {
      inputShape,
      outputShape,
      takesSparse: entrance.takesSparse,
      minimumRows() {
        let least = 1;
        for (const [index, { minimumRows = 1 }] of descriptions.entries()) {
          if (layers[index].trainable !== false) least = Math.max(least, minimumRows);
        }
        return least;
      },
      dtype,
      inputScale,
      entrance,
      owns: (buffer: ArrayBufferLike) => heap.owns(buffer),
      activation,
      loss: setLoss(rowAfter(name, activation)!, { name }),
    };
    return { ...facts, formats: formatsOf(facts) };
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

/** Number of the parameters that training changes. */
function countTrained({ tensors }: Store): number {
  return tensors.reduce((sum, { shape, trainable }) => sum + (trainable ? sizeOf(shape) : 0), 0);
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
