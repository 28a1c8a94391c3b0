// Learns XOR, the smallest problem that needs a hidden layer. Run it with: npm run example -- xor

import { Dense, Network } from "wasmgrad";

const inputs = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];
const network = new Network({
  inputs: 2,
  layers: [new Dense(8, { activation: "tanh" }), new Dense(1, { activation: "sigmoid" })],
  seed: 1,
});
await network.fit(inputs, [0, 1, 1, 0], { epochs: 1000, learningRate: 0.5 });
for (const row of inputs) {
  const [prediction] = network.predict(row);
  console.log(`${row.join(" xor ")} = ${Math.round(prediction)}  (${prediction.toFixed(3)})`);
}
