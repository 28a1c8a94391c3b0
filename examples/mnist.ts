// Trains a network to read handwritten digits (MNIST), and shows how well it does. Run it with: npm start

import { confusionMatrix, Dense, Network, progress } from "wasmgrad";
import { read } from "./digits.js";
import { bold, dim, drawPictures, green, picturesPerLine, red, table } from "./terminal.js";

const PIXELS = 28 * 28;
const TRAINING_ROWS = 55_000;

// 1. The data: 8-bit pixels and digits, as they lie in the files.
const images = read("train-images-idx3-ubyte");
const labels = read("train-labels-idx1-ubyte");
const testImages = read("t10k-images-idx3-ubyte");
const testLabels = read("t10k-labels-idx1-ubyte");

// 2. The network.
const network = new Network({
  inputs: PIXELS,
  inputScale: 1 / 255,
  layers: [new Dense(128, { activation: "relu" }), new Dense(10, { activation: "softmax" })],
  seed: 42,
});
console.log(`${network.summary()}\n`);

// 3. The training. The last rows are kept aside to validate each epoch.
await network.fit(images.subarray(0, TRAINING_ROWS * PIXELS), labels.subarray(0, TRAINING_ROWS), {
  epochs: 10,
  batchSize: 32,
  learningRate: 0.2,
  validationData: [images.subarray(TRAINING_ROWS * PIXELS), labels.subarray(TRAINING_ROWS)],
  callbacks: [progress()],
});

// 4. The test, with images that played no part so far.
const { accuracy } = network.evaluate(testImages, testLabels);
console.log(`\n${bold(`test accuracy: ${percent(accuracy!)}`)}\n`);

const probabilities = network.predict(testImages);
const predictions = Array.from(testLabels, (_, row) => {
  const outputs = probabilities.subarray(row * 10, row * 10 + 10);
  return outputs.indexOf(Math.max(...outputs));
});
printConfusion();
printMisread();

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** How often each digit was read as which. */
function printConfusion(): void {
  const counts = confusionMatrix(network, testImages, testLabels);
  const digits = [...counts.keys()];
  const rows = [["true", ...digits.map((digit) => String(digit).padStart(4)), "correct"]];
  for (const truth of digits) {
    const total = counts[truth].reduce((sum, count) => sum + count);
    const cells = counts[truth].map((count, digit) =>
      digit === truth ? green(String(count)) : count > 0 ? String(count) : dim("·"),
    );
    rows.push([String(truth), ...cells, percent(counts[truth][truth] / total)]);
  }
  console.log(`        predicted\n${table(rows)}\n`);
}

/** The misread digits that the network was most sure of, as many as stand side by side. */
function printMisread(): void {
  const probability = (row: number) => probabilities[row * 10 + predictions[row]];
  const misread = [...predictions.keys()]
    .filter((row) => predictions[row] !== testLabels[row])
    .sort((a, b) => probability(b) - probability(a));
  console.log(`${misread.length} of ${testLabels.length} misread, the surest of them:\n`);
  const pictures = misread.slice(0, picturesPerLine(24)).map((row) => ({
    pixels: crop(testImages.subarray(row * PIXELS, (row + 1) * PIXELS)),
    width: 24,
    caption: [
      `is ${testLabels[row]}, read as ${red(String(predictions[row]))}`,
      `with ${percent(probability(row))}`,
    ],
  }));
  console.log(drawPictures(pictures));
}

/** An image without the outer two pixels on each side, which are almost always empty. */
function crop(image: Uint8Array): Uint8Array {
  const cropped = new Uint8Array(24 * 24);
  for (let y = 0; y < 24; y++) cropped.set(image.subarray((y + 2) * 28 + 2, (y + 2) * 28 + 26), y * 24);
  return cropped;
}
