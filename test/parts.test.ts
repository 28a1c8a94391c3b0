// Operations cut into parts that threads share: the bits of one thread, and nothing outside their outputs. Whole
// trainings on threads are in threads.test.ts.

import { describe, expect, test } from "vitest";
import { FIRST_BY_ROWS, FIRST_DERIVATIVE } from "../assembly/ops.js";
import { DataType, Op, Start, Stat } from "../src/program/builder.js";
import {
  type Bench,
  elements,
  everyLoss,
  factors,
  Lab,
  placeWithoutZeros,
  random,
  randomValues,
  settings,
} from "./helpers.js";

/** Alignment makes no difference to how an operation is cut. */
const aligned = settings.filter(([, { shifted }]) => !shifted);

const starts = [Start.zero, Start.bias, Start.add];

/** Emits one product of random factors for every start and every layout: independent, and so one phase. */
function emitProducts(bench: Bench, m: number, n: number, k: number): void {
  const left = bench.input(randomValues(m * k, 1));
  const right = bench.input(randomValues(k * n, 2));
  const bias = bench.input(randomValues(n, 3));
  const layouts = [{}, { transposed: true }, { rightTransposed: true }];
  const outputs = layouts.map(() => starts.map(() => bench.inPlace(randomValues(m * n, 4))));
  for (const [l, layout] of layouts.entries()) {
    for (const [s, start] of starts.entries()) {
      bench.builder.product(outputs[l][s], left, right, m, n, k, { ...layout, start, bias });
    }
  }
}

describe.each(aligned)("on threads, in %s,", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("a product cut by rows has the bits of one thread, with every number of rows in a part", async () => {
    // Of so many terms that each thread has one part: 3 x 4 to 3 x 14 rows, in tiles of 4 and of 6.
    for (let m = 17; m <= 42; m++) {
      await lab.runOnThreads(3, (bench) => emitProducts(bench, m, 16, 641), { label: `${m} rows` });
    }
    // In four parts a thread, packed and not.
    for (const [m, n, k] of [
      [100, 70, 65],
      [201, 33, 70],
      [67, 5, 9],
      [9, 3, 300],
    ]) {
      await lab.runOnThreads(2, (bench) => emitProducts(bench, m, n, k), { label: `${m} x ${n} x ${k}` });
    }
  });

  test("a product cut by columns has the bits of one thread", async () => {
    for (const [m, n, k] of [
      [20, 130, 70],
      [17, 67, 321],
      [16, 300, 257],
      [5, 100, 7],
      [1, 300, 40],
      [3, 5, 2],
    ]) {
      for (const threads of [2, 5]) {
        const label = `${m} x ${n} x ${k}`;
        await lab.runOnThreads(threads, (bench) => emitProducts(bench, m, n, k), { label });
      }
    }
  });

  test.each<[string, number, number]>([
    ["rows", 70, 19],
    ["columns", 19, 70],
  ])("a product's epilogue is cut like its %s", async (_, m, n) => {
    const k = 40;
    const outputs = await lab.runOnThreads(2, (bench) => {
      const { builder } = bench;
      const left = bench.input(factors(m * k, 1));
      const right = bench.input(factors(k * n, 2));
      const saved = bench.input(factors(m * n, 3));
      const [plain, relu, tanhBackward] = Array.from({ length: 3 }, () => bench.output(m * n));
      builder.product(plain, left, right, m, n, k);
      builder.product(relu, left, right, m, n, k);
      builder.forward(Op.relu, relu, relu, m, n);
      builder.product(tanhBackward, left, right, m, n, k);
      builder.backward(Op.tanhBackward, tanhBackward, tanhBackward, saved, m, n);
    });
    const [plain, relu] = outputs.map((output) => [...output]);
    expect(relu).toEqual(plain.map((value) => Math.max(value, 0)));
  });

  /** Outputs of a sparse layer: a row of 2048 bytes or more makes its gradients in scratch of its thread. */
  const rowOf2048 = 2048 / (dtype === "float64" ? 8 : 4);
  test.each([9, rowOf2048 - 1, rowOf2048, rowOf2048 + 3])(
    "a sparse batch, its product and its gradient have the bits of one thread, for %i outputs",
    async (n) => {
      const [samples, width, batch] = [600, 70, 290];
      const next = random(1);
      const data = elements(dtype, factors(samples * width, 1)).map((x) => (next() < 0.2 ? x : 0));
      const order = Uint32Array.from({ length: samples }, (_, i) => (i * 7) % samples);
      for (const threads of [2, 3, 5]) {
        await lab.runOnThreads(
          threads,
          (bench) => {
            const { builder } = bench;
            const weights = bench.inPlace(factors(width * n, 2));
            const fresh = bench.output(width * n);
            const output = bench.output(batch * n);
            const saved = bench.input(factors(batch * n, 3));
            const visit = { order: bench.place(order), batch };
            const samples = placeWithoutZeros(bench, data, width);
            const matrix = builder.sparseMatrix(batch, width, samples.capacity);
            builder.gatherSparse(matrix, samples, visit, builder.cell(0.5));
            builder.sortByColumn(matrix);
            builder.product(output, matrix, weights, batch, n, width);
            builder.forward(Op.relu, output, output, batch, n);
            const backward = bench.output(batch * n);
            builder.product(backward, matrix, weights, batch, n, width);
            builder.backward(Op.tanhBackward, backward, backward, saved, batch, n);
            const options = { transposed: true };
            builder.product(fresh, matrix, output, width, n, batch, options);
            builder.product(weights, matrix, output, width, n, batch, { ...options, start: Start.add });
          },
          { steps: [0, 2], label: `${n} outputs` },
        );
      }
    },
  );

  test("the gradients of wide sparse rows do not meet in scratch, however often threads make them at once", async () => {
    // Some milliseconds of work, so that threads do meet.
    const [batch, steps, width, n] = [160, 6, 120, 4 * rowOf2048];
    const data = elements(dtype, factors(batch * steps * width, 1)).map((x, i) => (i % 5 ? 0 : x));
    const d = factors(batch * n, 2);
    for (const threads of [2, 4]) {
      await lab.runOnThreads(
        threads,
        (bench) => {
          const { builder } = bench;
          const weights = bench.inPlace(new Float64Array(width * n));
          const gradient = bench.input(d);
          const samples = placeWithoutZeros(bench, data, width);
          const matrix = builder.sparseMatrix(batch, width, samples.capacity);
          builder.gatherSparse(matrix, samples, { order: undefined, batch }, builder.cell(1));
          const options = { transposed: true, start: Start.add };
          builder.product(weights, matrix, gradient, width, n, batch, options);
        },
        { steps: [0, steps] },
      );
    }
  });

  // Not as many rows a thread as tiles have, and more.
  test.each([20, 101])(
    "a step of training on a batch of %i rows has the bits of one thread",
    async (rows) => {
      const [inputs, hidden, classes] = [37, 50, 5];
      const samples = 3 * rows;
      const x = Uint8Array.from({ length: samples * inputs }, (_, i) => (i * 31) % 251);
      const t = Uint32Array.from({ length: samples }, (_, i) => (i * i) % classes);
      const w1 = randomValues(inputs * hidden, 1, -0.1, 0.1);
      const w2 = randomValues(hidden * classes, 2, -0.1, 0.1);
      for (const threads of [2, 3]) {
        await lab.runOnThreads(
          threads,
          (bench) => {
            const { builder } = bench;
            const [weights1, weights2] = [bench.inPlace(w1), bench.inPlace(w2)];
            const visit = { order: undefined, batch: rows };
            const mean = { rate: builder.cell(-0.1), factor: 1, terms: rows };
            const input = bench.output(rows * inputs);
            const target = bench.output(rows * classes);
            const [h, dh] = [bench.output(rows * hidden), bench.output(rows * hidden)];
            const [logits, prediction, gradient] = [0, 1, 2].map(() => bench.output(rows * classes));
            const buffers = { gradient, prediction, logits, target };
            const [losses, hits] = [bench.output(rows), bench.output(rows)];
            const data = { data: bench.place(x), dataType: DataType.u8 };
            builder.gather(input, data, visit, inputs, rows, builder.cell(1 / 255));
            builder.oneHot(target, { classes: bench.place(t) }, visit, classes, rows);
            builder.product(h, input, weights1, rows, hidden, inputs);
            builder.forward(Op.tanh, h, h, rows, hidden);
            builder.product(logits, h, weights2, rows, classes, hidden);
            builder.loss(Op.crossEntropy, { ...buffers, losses, hits }, rows, classes, mean);
            builder.product(dh, gradient, weights2, rows, hidden, classes, { rightTransposed: true });
            builder.backward(Op.tanhBackward, dh, dh, h, rows, hidden);
            const options = { transposed: true, start: Start.add };
            builder.product(weights2, h, gradient, hidden, classes, rows, options);
            builder.product(weights1, input, dh, inputs, hidden, rows, options);
          },
          { steps: [0, 3] },
        );
      }
    },
  );

  test("vectors of indices and their gradients have the bits of one thread, on 2 to 5 threads", async () => {
    const [samples, rows, length, vocabulary] = [300, 90, 5, 61];
    const data = Uint8Array.from({ length: samples * length }, (_, i) => (i * i + 7 * i) % vocabulary);
    const order = Uint32Array.from({ length: samples }, (_, i) => (i * 7) % samples);
    for (const n of [3, rowOf2048]) {
      for (const threads of [2, 3, 4, 5]) {
        await lab.runOnThreads(
          threads,
          (bench) => {
            const { builder } = bench;
            const weights = bench.inPlace(factors(vocabulary * n, 2));
            const fresh = bench.output(vocabulary * n);
            const output = bench.output(rows * length * n);
            const visit = { order: bench.place(order), batch: rows };
            const inputs = { data: bench.place(data), dataType: DataType.u8 };
            const matrix = builder.gatherIndices(inputs, visit, rows, length, vocabulary);
            builder.product(output, matrix, weights, rows * length, n, vocabulary);
            const options = { transposed: true };
            builder.product(fresh, matrix, output, vocabulary, n, rows * length, options);
            const added = { ...options, start: Start.add };
            builder.product(weights, matrix, output, vocabulary, n, rows * length, added);
          },
          { steps: [0, 3], label: `${n} dimensions` },
        );
      }
    }
  });

  test("a dense row made sparse has the bits of one thread", async () => {
    const [width, n] = [70, 300];
    await lab.runOnThreads(3, (bench) => {
      const { builder } = bench;
      const matrix = builder.compressRow(
        bench.input(factors(width, 1).map((x, i) => (i % 3 ? x : 0))),
        width,
      );
      const right = bench.input(factors(width * n, 2));
      const output = bench.output(n);
      builder.product(output, matrix, right, 1, n, width);
      const gradient = bench.inPlace(factors(width * n, 3));
      const options = { transposed: true, start: Start.add };
      builder.product(gradient, matrix, output, width, n, 1, options);
    });
  });

  // More rows than parts, as many, fewer, and one.
  test.each([101, 16, 7, 1])("a batch of %i rows goes through every other operation", async (rows) => {
    const width = 37;
    const samples = 2 * rows;
    const bytes = Uint8Array.from({ length: samples * width }, (_, i) => (i * 31) % 251);
    const classes = Uint32Array.from({ length: samples }, (_, i) => (i * 5) % width);
    const order = Uint32Array.from({ length: samples }, (_, i) => samples - 1 - i);
    await lab.runOnThreads(
      2,
      (bench) => {
        const { builder } = bench;
        const size = rows * width;
        const visit = { order: bench.place(order), batch: rows };
        const one = builder.cell(1 / 64);
        const matrix = () => bench.output(size);
        const x = matrix();
        const samples = { data: bench.place(bytes), dataType: DataType.u8 };
        builder.gather(x, samples, visit, width, rows, one);
        for (const length of [width, 1]) {
          const [mean, factor] = [bench.input(randomValues(length, 5)), bench.input(randomValues(length, 6))];
          const columns = { mean, factor, length };
          const y = matrix();
          builder.gather(y, samples, visit, width, rows, one, columns);
          builder.standardize(matrix(), y, rows, width, columns);
          builder.standardize(y, y, rows, width, columns);
        }
        const target = matrix();
        builder.oneHot(target, { classes: bench.place(classes) }, visit, width, rows);
        for (let op = Op.sigmoid as Op; op < FIRST_DERIVATIVE; op++) {
          builder.forward(op, matrix(), x, rows, width);
        }
        for (let op = FIRST_DERIVATIVE as Op; op < FIRST_BY_ROWS; op++) {
          builder.backward(op, matrix(), target, x, rows, width);
        }
        const y = matrix();
        builder.forward(Op.softmax, y, x, rows, width);
        builder.backward(Op.softmaxBackward, matrix(), target, y, rows, width);
        builder.columnSums(bench.output(width), x, rows, width);
        builder.columnSums(bench.inPlace(randomValues(width, 1)), x, rows, width, Start.add);
        builder.transpose(matrix(), x, rows, width);
        const statistics = bench.place(new Float64Array(Stat.cells), { written: true });
        const parameters = builder.cells([2, 0.25]);
        for (const { op, per, fused } of everyLoss()) {
          const terms = per === "row" ? rows : size;
          const buffers = {
            gradient: matrix(),
            losses: bench.output(terms),
            hits: bench.output(terms),
            prediction: fused ? matrix() : y,
            logits: x,
            target,
          };
          builder.loss(op, buffers, rows, width, { rate: one, factor: 1, terms, parameters });
          builder.report(statistics, buffers.losses, buffers.hits, terms, one);
        }
        builder.uniform(matrix(), size, builder.cell(-1), builder.cell(1), 3, 4);
        builder.shuffle(bench.place(new Uint32Array(rows), { written: true }), rows, 3, 5, one);
      },
      { steps: [0, 2] },
    );
  });
});
