// Whether two builds of the library train to the same bits: node bench/bits.mjs OLD/dist/index.js [NEW/dist/index.js]
//
// It trains networks of all kinds with both (element types, threads, dense and sparse inputs, losses, activations,
// fused multiply-adds or not, batches of one row and of all), compares weights, predictions and figures, and fails where
// a bit differs. The bits of a deterministic training change on purpose only.

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [before, after = "dist/index.js"] = process.argv.slice(2);
if (!before)
  throw new Error("which build to compare with? node bench/bits.mjs OLD/dist/index.js [NEW/dist/index.js]");
const builds = await Promise.all([before, after].map((path) => import(pathToFileURL(resolve(path)).href)));

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

const ROWS = 333;
const lasts = { crossEntropy: "softmax", binaryCrossEntropy: "sigmoid", meanSquaredError: "linear" };
const shapes = [
  { sizes: [7, 5, 3], batchSize: 32 },
  { sizes: [40, 33, 17, 4], batchSize: 1 },
  { sizes: [300, 64, 10], batchSize: ROWS },
  { sizes: [130, 300, 20], batchSize: 32 },
];
const kinds = ["float64", "float32"].flatMap((dtype) =>
  [1, 3].flatMap((threads) =>
    [1, 0.2].flatMap((density) =>
      Object.keys(lasts).flatMap((loss) =>
        shapes.flatMap((shape) =>
          [true, false].map((deterministic) => ({ dtype, threads, density, loss, ...shape, deterministic })),
        ),
      ),
    ),
  ),
);

/** A hash of all that a network of a kind is and says after a training. */
async function trained({ Network, Dense }, { sizes, density, loss, batchSize, ...options }) {
  const next = random(12345);
  const numbers = (count, share = 1) =>
    Float64Array.from({ length: count }, () => (next() < share ? Math.fround(next() * 2 - 1) : 0));
  const [inputs, ...others] = sizes;
  const outputs = others.at(-1);
  const layers = others.map((size, i) => {
    const activation = i === others.length - 1 ? lasts[loss] : ["relu", "tanh", "sigmoid"][i % 3];
    return new Dense(size, { activation });
  });
  const network = new Network({ inputs, layers, seed: 5, ...options });
  const x = numbers(ROWS * inputs, density);
  const t =
    loss === "crossEntropy"
      ? Uint8Array.from({ length: ROWS }, () => Math.floor(next() * outputs))
      : numbers(ROWS * outputs).map((value) => (loss === "binaryCrossEntropy" ? (value + 1) / 2 : value));
  const history = await network.fit(x, t, { epochs: 3, batchSize, learningRate: 0.01, validationSplit: 0.2 });
  const hash = createHash("sha256");
  for (const { weights, biases } of network.layers)
    for (const view of [weights, biases]) hash.update(view.slice());
  hash.update(network.predict(x)).update(network.predict(x.subarray(0, inputs)));
  const figures = history.map(({ seconds: _, learningRate: __, ...entry }) => entry);
  hash.update(JSON.stringify([figures, network.evaluate(x, t)]));
  return hash.digest("hex");
}

let different = 0;
for (const kind of kinds) {
  const [one, other] = [await trained(builds[0], kind), await trained(builds[1], kind)];
  if (one === other) continue;
  different++;
  console.log(`other bits: ${JSON.stringify(kind)}`);
}
console.log(
  `Node ${process.version}: ${kinds.length - different} of ${kinds.length} networks have the same bits`,
);
process.exitCode = different > 0 ? 1 : 0;
