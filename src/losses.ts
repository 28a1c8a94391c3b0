// The losses: one row each. The type Loss is this table's keys.

import type { ActivationName } from "./activations.js";
import { checkNumber, checkPositive, readOptions } from "./check.js";
import type { TargetKind } from "./dataset.js";
import type { MetricFigures } from "./metrics.js";
import { ClassWeights, FIRST_ROW_LOSS, Op } from "./program/builder.js";
import { positionsOf, type Shape, sizeOf } from "./shape.js";
import { namesOf } from "./table.js";

export interface LossRow {
  /** @internal */
  readonly op: Op;
  /** Activation of the last layer that the loss is fused with, and needs. A logSoftmax will do for a softmax. */
  readonly fused?: ActivationName;
  /** How class weights count; a loss that has it classifies. @internal */
  readonly classes?: ClassWeights;
  /** What its targets must be; default: what fits the activation, "any" for none. @internal */
  readonly targets?: TargetKind;
  /** Factor of the gradient before the mean is taken: an integer, default 1. @internal */
  readonly factor?: number;
  /** Settings that a factory takes, with their defaults, in the order of the kernel's. @internal */
  readonly parameters?: Readonly<Record<string, number>>;
  /** What it is where the last activation is another one. @internal */
  readonly otherwise?: LossRow;
}

/** A table of losses, of whose rows the type says what the types of figures need. */
const lossesOf = <const T extends Record<string, LossRow>>(
  rows: T,
): {
  readonly [K in keyof T]: LossRow & Pick<T[K], Extract<keyof T[K], "fused" | "classes">>;
} => rows;

export const losses = /* @__PURE__ */ lossesOf({
  /** mean over all elements of (y - t)^2 */
  meanSquaredError: { op: Op.meanSquaredError, factor: 2 },
  /** mean over all elements of -(t log y + (1 - t) log(1 - y)), y a sigmoid */
  binaryCrossEntropy: { op: Op.binaryCrossEntropy, fused: "sigmoid", classes: ClassWeights.ofSides },
  /** mean over rows of -sum over j of t[j] log y[j], y a softmax */
  crossEntropy: { op: Op.crossEntropy, fused: "softmax", classes: ClassWeights.ofTargets },
  /** mean over all elements of |y - t| */
  meanAbsoluteError: { op: Op.meanAbsoluteError },
  /** mean over all elements of (y - t)^2 / 2 where |y - t| <= delta, else delta (|y - t| - delta / 2) */
  huber: { op: Op.huber, parameters: { delta: 1 } },
  /** mean over all elements of log(cosh(y - t)) */
  logCosh: { op: Op.logCosh },
  /** mean over all elements of max(1 - t y, 0), t -1 or 1 */
  hinge: { op: Op.hinge, targets: "sign", classes: ClassWeights.ofSides },
  /** mean over all elements of max(1 - t y, 0)^2, t -1 or 1 */
  squaredHinge: { op: Op.squaredHinge, targets: "sign", factor: 2, classes: ClassWeights.ofSides },
  /** mean over rows of max(1 + max over j of (1 - t[j]) y[j] - sum over j of t[j] y[j], 0), as Keras has it */
  categoricalHinge: { op: Op.categoricalHinge, targets: "distribution", classes: ClassWeights.ofRows },
  /** mean over rows of sum over j of t[j] log(t[j] / y[j]), y a softmax: PyTorch's KLDivLoss with "batchmean" */
  klDivergence: { op: Op.klDivergence, fused: "softmax" },
  /** mean over all elements of y - t log(y + 1e-8), y > 0, t >= 0: PyTorch's PoissonNLLLoss with log_input=False */
  poisson: { op: Op.poisson, targets: "count" },
  /** mean over rows of 1 - cos(y, t): PyTorch's CosineEmbeddingLoss for the target 1 */
  cosineSimilarity: { op: Op.cosineSimilarity },
  /**
   * mean over rows of -alpha sum over j of t[j] (1 - y[j])^gamma log y[j], y a softmax: Keras' CategoricalFocalCrossentropy;
   * for a sigmoid that of torchvision's sigmoid_focal_loss over all elements
   */
  focal: {
    op: Op.focal,
    fused: "softmax",
    classes: ClassWeights.ofTargets,
    parameters: { gamma: 2, alpha: 0.25 },
    otherwise: {
      op: Op.binaryFocal,
      fused: "sigmoid",
      classes: ClassWeights.ofSides,
      parameters: { gamma: 2, alpha: 0.25 },
    },
  },
});

/** Name of a loss function. */
export type Loss = keyof typeof losses;

/** Name of a loss function that has an accuracy. */
export type ClassifyingLoss = {
  [L in Loss]: (typeof losses)[L] extends { readonly classes: ClassWeights } ? L : never;
}[Loss];

/** An activation whose loss, unless another is asked for, has an accuracy. */
export type ClassifyingActivation =
  | Extract<(typeof losses)[ClassifyingLoss], { readonly fused: ActivationName }>["fused"]
  | "logSoftmax";

/** A loss with settings: what a factory such as `huber` returns. */
export interface LossSettings<L extends Loss = Loss> {
  readonly name: L;
  readonly [setting: string]: number | string;
}

/** A loss with all that a call needs of it. */
export interface SetLoss extends LossRow {
  readonly name: Loss;
  /** Whether an accuracy means something. */
  readonly classifies: boolean;
  /** What it has one value of and is the mean over: each element, or each row of the last axis. */
  readonly per: "element" | "row";
  readonly factor: number;
  readonly targets: TargetKind;
  /** Values of its parameters. */
  readonly settings: readonly number[];
  /** Share of the targets that is spread over all classes: 0 <= s < 1. */
  readonly labelSmoothing: number;
  /** They count in training alone. */
  readonly classWeights?: readonly number[] | undefined;
}

/**
 * The Huber loss, `"huber"`, with its delta: PyTorch's HuberLoss, r^2 / 2 for |r| <= delta, else delta (|r| - delta / 2).
 *
 * @param options.delta where squares become lines, above 0; default 1
 * @throws RangeError or TypeError for unusable options
 */
export function huber(options: { delta?: number } = {}): LossSettings<"huber"> {
  return settingsOf("huber", options);
}

/**
 * The focal loss, `"focal"`, for classes of very different sizes (Lin et al. 2017, "Focal Loss for Dense Object
 * Detection"). After a softmax -alpha sum over j of t[j] (1 - y[j])^gamma log y[j], as Keras' CategoricalFocalCrossentropy;
 * after a sigmoid the binary cross-entropy times (1 - p)^gamma, p being y for the target 1 and 1 - y for 0, times alpha
 * for the target 1 and 1 - alpha for 0, as torchvision's sigmoid_focal_loss.
 *
 * @param options.gamma how little what is predicted well counts, at least 0; default 2
 * @param options.alpha 0 to 1; default 0.25
 * @throws RangeError or TypeError for unusable options
 */
export function focal(options: { gamma?: number; alpha?: number } = {}): LossSettings<"focal"> {
  return settingsOf("focal", options);
}

/** Whether a value is a loss with settings; they are checked. */
export function settingsOf<L extends Loss>(name: L, options: object): LossSettings<L> {
  const { parameters: defaults = {} }: LossRow = losses[name];
  const given: Record<string, unknown> = readOptions(
    name,
    options as Record<string, unknown>,
    Object.keys(defaults),
  );
  const settings: Record<string, number> = {};
  for (const [key, value] of Object.entries(defaults)) {
    const set = given[key] === undefined ? value : given[key];
    if (key === "delta") checkPositive(key, set);
    else {
      const most = key === "alpha" ? 1 : 1000;
      checkNumber(key, set, `from 0 to ${most}, e.g. ${value}`, (x) => x >= 0 && x <= most);
    }
    settings[key] = set as number;
  }
  return Object.freeze({ name, ...settings }) as LossSettings<L>;
}

/** A row with all that goes with it. */
export function setLoss(
  row: LossRow,
  { name, ...given }: LossSettings,
  labelSmoothing = 0,
  classWeights?: readonly number[],
): SetLoss {
  const { op, fused, classes, factor = 1, parameters = {} } = row;
  const targets = row.targets ?? (fused === "softmax" ? "distribution" : fused ? "probability" : "any");
  const settings = Object.entries(parameters).map(([key, value]) => (given[key] ?? value) as number);
  const per = op < FIRST_ROW_LOSS ? "element" : "row";
  const classifies = classes !== undefined;
  return { ...row, name, classifies, targets, factor, per, settings, labelSmoothing, classWeights };
}

/** The row of a loss after a last activation, or undefined where it cannot follow it. */
export function rowAfter(loss: Loss, last: ActivationName | undefined): LossRow | undefined {
  const row: LossRow = losses[loss];
  const after = (last as string) === "logSoftmax" ? "softmax" : last;
  return [row, row.otherwise].find((one) => one && (one.fused ?? after) === after);
}

/** Whether a loss takes a labelSmoothing: those of cross-entropies do. */
export function smooths({ fused, classes }: LossRow): boolean {
  return fused !== undefined && classes !== undefined;
}

/** The loss that fits the last activation: the one that is fused with it. */
export function defaultLoss(last: ActivationName | undefined): Loss {
  return (
    namesOf(losses).find((loss) => (losses[loss] as LossRow).fused && rowAfter(loss, last)) ??
    "meanSquaredError"
  );
}

/** What else may make a loss not finite, as the beginning of an advice. */
export function adviceFor({ name }: SetLoss): string {
  return name === "poisson" ? 'poisson takes outputs above 0, e.g. of activation "softplus". Else: ' : "";
}

/** Values of a loss over `rows` rows of outputs of a shape: see SetLoss.per. */
export function termsOf({ per }: Pick<SetLoss, "per">, rows: number, shape: Shape): number {
  return rows * (per === "row" ? positionsOf(shape) : sizeOf(shape));
}

/** Mean loss a row, the share of hits, 0 to 1, where the loss is one of classification, and metrics that were asked for. */
export interface Figures extends MetricFigures {
  loss: number;
  accuracy?: number;
}

/** Figures of a loss that classifies. */
export interface ClassifierFigures extends Figures {
  accuracy: number;
}
