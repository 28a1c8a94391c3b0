// What is measured, and where. A task goes to the contenders as it stands; `title` is its row in the tables.
const classifier = { hidden: "relu", output: "softmax", learningRate: 0.1 };
const small = { ...classifier, sizes: [784, 128, 10] };
const large = { ...classifier, sizes: [784, 512, 512, 10] };
const xor = {
  sizes: [2, 8, 1],
  hidden: "tanh",
  output: "sigmoid",
  learningRate: 0.1,
  data: "xor",
  // The four rows again and again: an epoch is many steps.
  rows: 4096,
  batch: 4,
};

const adam = { optimizer: "adam", learningRate: 0.001 };
/** A network as reinforcement learning has it: 4 observations, the values of 2 actions. */
const actor = { sizes: [4, 64, 64, 2], hidden: "relu", output: "linear", ...adam, data: "dense" };

/** Training runs over this many rows again and again: with 784 inputs, more than the caches hold. */
const rows = 8192;

const noAdam = { "brain.js": "its documentation has no Adam" };

/**
 * kind: "train", "predict" and "turn" are timed for about half a second a round, by `unit`. "train" is training on data
 *   that the contender holds already, many steps a call. A "turn" is of a loop that the user writes: one call to predict
 *   a row, if `predicts`, and one to train on a batch, both from numbers in memory, with the loss as a number;
 *   "accuracy" trains once on `rows`, by such turns if `turns`, and must then do about as well as the others do;
 *   "reach" trains epoch after epoch until the test accuracy is `target`, `amount` samples at most.
 * optimizer: "sgd", unless it is "adam" (beta1 0.9, beta2 0.999, epsilon 1e-8). output "linear": mean squared error.
 * one: measured with one thread only. dtypes: the only ones it is measured in.
 * skip: contenders that do not take part, and why.
 */
export const tasks = [
  {
    name: "accuracy-12k",
    title: "Test accuracy after 12 000 samples, 784-128-10, batch 32",
    unit: "%",
    task: { ...small, kind: "accuracy", data: "mnist", rows: 12000, batch: 32 },
  },
  {
    name: "accuracy-60k",
    title: "Test accuracy after 60 000 samples, 784-128-10, batch 32",
    unit: "%",
    task: { ...small, kind: "accuracy", data: "mnist", rows: 60000, batch: 32 },
    skip: { "brain.js": "takes more than a minute an epoch" },
  },
  {
    name: "accuracy-adam",
    title: "Adam: test accuracy after 12 000 samples, 784-128-10, batch 32",
    unit: "%",
    task: { ...small, ...adam, kind: "accuracy", data: "mnist", rows: 12000, batch: 32 },
    skip: noAdam,
    one: true,
  },
  {
    name: "accuracy-adam-turns",
    title: "Adam: test accuracy after 12 000 samples, 784-64-64-10 with squared error, 64 a call",
    unit: "%",
    task: {
      ...actor,
      sizes: [784, 64, 64, 10],
      kind: "accuracy",
      turns: true,
      data: "mnist",
      rows: 12032,
      batch: 64,
    },
    skip: noAdam,
    one: true,
  },
  ...[32, 128].flatMap((batch) =>
    ["mnist", "dense"].map((data) => ({
      name: `train-${data}-128-b${batch}`,
      title: `Train 784-128-10, batch ${batch}, ${data === "mnist" ? "MNIST" : "dense data"}`,
      unit: "samples/s",
      task: { ...small, kind: "train", data, rows, batch },
      ...(batch === 128 && { skip: { "brain.js": "has no batch size: see batch 32" } }),
    })),
  ),
  {
    name: "train-mnist-512-b128",
    title: "Train 784-512-512-10, batch 128, MNIST",
    unit: "samples/s",
    task: { ...large, kind: "train", data: "mnist", rows, batch: 128 },
    skip: { "brain.js": "too slow: seven times the weights of 784-128-10" },
  },
  {
    name: "xor-step",
    title: "Train 2-8-1, batch 4 (XOR), one step",
    unit: "µs",
    task: { ...xor, kind: "train" },
    one: true,
  },
  {
    name: "adam-mnist-128-b32",
    title: "Adam: train 784-128-10, batch 32, MNIST",
    unit: "samples/s",
    task: { ...small, ...adam, kind: "train", data: "mnist", rows, batch: 32 },
    skip: noAdam,
    one: true,
  },
  {
    name: "adam-xor-step",
    title: "Adam: train 2-8-1, batch 4 (XOR), one step of many",
    unit: "µs",
    task: { ...xor, ...adam, kind: "train" },
    skip: noAdam,
    one: true,
  },
  {
    name: "adam-xor-call",
    title: "Adam: train 2-8-1, batch 4 (XOR), one call a step",
    unit: "µs",
    task: { ...xor, ...adam, kind: "turn" },
    skip: noAdam,
    one: true,
  },
  {
    name: "adam-dqn-turn",
    title: "Adam: predict one row and train on 64, 4-64-64-2 (DQN), one turn",
    unit: "µs",
    task: { ...actor, kind: "turn", predicts: true, rows, batch: 64 },
    skip: noAdam,
    one: true,
    dtypes: ["float32"],
  },
  {
    name: "predict",
    title: "Predict one row, 784-128-10",
    unit: "µs",
    task: { ...small, kind: "predict", data: "mnist", rows: 1024, batch: 32 },
    one: true,
  },
  {
    name: "reach-97",
    title: "MNIST to 97 % test accuracy, 784-128-10, batch 32, learning rate 0.3",
    unit: "s",
    task: { ...small, kind: "reach", data: "mnist", rows: 60000, batch: 32, learningRate: 0.3, target: 0.97 },
    one: true,
    dtypes: ["float64"],
    only: ["wasmgrad", "NumPy", "PyTorch"],
  },
];

/**
 * The contenders, each with the numbers of threads it has for a dtype. `file` is in contenders/; .py runs in Python.
 * Of two with one name the faster stands in the tables, with its `variant`. takes: the tasks it is for, if not all.
 */
const both = { float64: [1, 2], float32: [1, 2] };
const one = { float64: [1], float32: [1] };
const usesAdam = (task) => task.optimizer === "adam";
export const contenders = [
  { name: "wasmgrad", file: "wasmgrad.mjs", threads: both },
  {
    name: "wasmgrad, plain SGD",
    file: "wasmgrad.mjs",
    threads: one,
    args: ["sgd"],
    takes: (task) => usesAdam(task) && task.kind === "train",
  },
  { name: "NumPy", file: "numpy_trainer.py", threads: both },
  { name: "PyTorch", file: "torch_trainer.py", threads: both },
  {
    name: "PyTorch",
    file: "torch_trainer.py",
    threads: one,
    args: ["foreach"],
    variant: "foreach",
    takes: usesAdam,
  },
  { name: "jax-js", file: "jax.mjs", threads: one },
  { name: "TensorFlow.js", file: "tfjs.mjs", threads: { float32: [1] } },
  { name: "TensorFlow.js by hand", file: "tfjs.mjs", threads: { float32: [1] }, args: ["by-hand"] },
  { name: "brain.js", file: "brain.mjs", threads: { float32: [1] } },
];
export const dtypes = Object.keys(both);

/** What is shown of an answer { seconds, samples, accuracy }. */
export function figure(unit, task, { seconds, samples, accuracy }) {
  if (unit === "samples/s") return samples / seconds;
  // In training a sample is a row; a prediction or a turn counts as one sample.
  if (unit === "µs") return (seconds / samples) * (task.kind === "train" ? task.batch : 1) * 1e6;
  return unit === "s" ? seconds : accuracy * 100;
}
