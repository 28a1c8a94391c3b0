// Reads handwritten digits (MNIST) with what most networks are trained with: dropout, Adam, a learning rate that falls along
// a cosine, and an early stop. Over 98.4 % of the test images are right. Run it with: npm run example -- mnist-adam

import { adam, cosineDecay, Dense, Dropout, earlyStopping, Network, progress } from "wasmgrad";
import { read } from "./digits.js";

const PIXELS = 28 * 28;
const TRAINING_ROWS = 55_000;

const images = read("train-images-idx3-ubyte");
const labels = read("train-labels-idx1-ubyte");

const network = new Network({
  inputs: PIXELS,
  inputScale: 1 / 255,
  layers: [
    new Dense(512, { activation: "relu" }),
    new Dropout(0.4),
    new Dense(128, { activation: "relu" }),
    new Dropout(0.3),
    new Dense(10, { activation: "softmax" }),
  ],
  dtype: "float32",
  // Another seed, another network: npm run example -- mnist-adam 7
  seed: Number(process.argv[2] ?? 1),
});
console.log(`${network.summary()}\n`);

// The learning rate falls from 0.002 to 0 over all steps. The last rows are kept aside to validate each epoch.
await network.fit(images.subarray(0, TRAINING_ROWS * PIXELS), labels.subarray(0, TRAINING_ROWS), {
  epochs: 16,
  batchSize: 128,
  optimizer: adam({ learningRate: cosineDecay(0.002) }),
  validationData: [images.subarray(TRAINING_ROWS * PIXELS), labels.subarray(TRAINING_ROWS)],
  callbacks: [
    progress(),
    earlyStopping({ monitor: "validationAccuracy", patience: 6, restoreBestWeights: true }),
  ],
});

const { accuracy } = network.evaluate(read("t10k-images-idx3-ubyte"), read("t10k-labels-idx1-ubyte"));
console.log(`\ntest accuracy: ${(accuracy! * 100).toFixed(2)} %`);
