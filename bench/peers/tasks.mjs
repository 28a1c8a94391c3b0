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

/** Training runs over this many rows again and again: with 784 inputs, more than the caches hold. */
const rows = 8192;

/**
 * kind: "train" and "predict" are timed for about half a second a round, by `unit`;
 *   "accuracy" trains once on `rows` and must then do about as well as the others do;
 *   "reach" trains epoch after epoch until the test accuracy is `target`, `amount` samples at most.
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

/** The contenders, each with the numbers of threads it has for a dtype. `file` is in contenders/; .py runs in Python. */
const both = { float64: [1, 2], float32: [1, 2] };
export const contenders = [
  { name: "wasmgrad", file: "wasmgrad.mjs", threads: both },
  { name: "NumPy", file: "numpy_sgd.py", threads: both },
  { name: "PyTorch", file: "torch_sgd.py", threads: both },
  { name: "jax-js", file: "jax.mjs", threads: { float64: [1], float32: [1] } },
  { name: "TensorFlow.js", file: "tfjs.mjs", threads: { float32: [1] } },
  { name: "TensorFlow.js by hand", file: "tfjs.mjs", threads: { float32: [1] }, args: ["by-hand"] },
  { name: "brain.js", file: "brain.mjs", threads: { float32: [1] } },
];
export const dtypes = Object.keys(both);

/** What is shown of an answer { seconds, samples, accuracy }. */
export function figure(unit, task, { seconds, samples, accuracy }) {
  if (unit === "samples/s") return samples / seconds;
  if (unit === "µs") return (seconds / samples) * (task.kind === "train" ? task.batch : 1) * 1e6;
  return unit === "s" ? seconds : accuracy * 100;
}
