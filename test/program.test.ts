// The program builder: what it fuses, and where threads must meet.

import { describe, expect, test } from "vitest";
import { NO_EPILOGUE, Product, RECORD_WORDS, Start, Word } from "../assembly/ops.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { Heap } from "../src/heap.js";
import { Op, ProgramBuilder } from "../src/program.js";

/** The records of what `emit` emits, with ten matrices of 4 x 4 to use. */
function recordsOf(emit: (builder: ProgramBuilder, matrices: number[]) => void): Uint32Array[] {
  const heap = new Heap(new ReferenceExecutor({ dtype: "float64" }), "float64");
  const builder = new ProgramBuilder(heap);
  emit(
    builder,
    Array.from({ length: 10 }, () => builder.matrix(4, 4)),
  );
  const { offset, count } = builder.finish();
  return Array.from({ length: count }, (_, i) =>
    heap.u32.slice(offset / 4 + i * RECORD_WORDS, offset / 4 + (i + 1) * RECORD_WORDS),
  );
}

const opcodes = (records: Uint32Array[]) => records.map((record) => record[Word.opcode]);

describe("an elementwise operation becomes a product's epilogue", () => {
  test("right after it and in its place", () => {
    const records = recordsOf((builder, [y, a, b]) => {
      builder.product(y, a, b, 4, 4, 4);
      builder.forward(Op.relu, y, y, 16);
    });
    expect(opcodes(records)).toEqual([Op.product]);
    expect(records[0][Product.epilogue]).toBe(Op.relu);
  });

  test("with the saved output of its forward where it is a derivative", () => {
    let expected = 0;
    const records = recordsOf((builder, [dx, dy, w, y]) => {
      builder.product(dx, dy, w, 4, 4, 4);
      builder.backward(Op.tanhBackward, dx, dx, y, 16);
      expected = y;
    });
    expect(opcodes(records)).toEqual([Op.product]);
    expect(records[0][Product.epilogue]).toBe(Op.tanhBackward);
    expect(records[0][Product.saved]).toBe(expected);
  });

  test.each<[string, (builder: ProgramBuilder, matrices: number[]) => void, Op[]]>([
    [
      "but not into another place",
      (builder, [y, a, b, z]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.relu, z, y, 16);
      },
      [Op.product, Op.relu],
    ],
    [
      "but not of another matrix",
      (builder, [y, a, b, z]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.relu, z, z, 16);
      },
      [Op.product, Op.relu],
    ],
    [
      "but not with an operation in between",
      (builder, [y, a, b, z]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.columnSums(z, y, 4, 4);
        builder.forward(Op.relu, y, y, 16);
      },
      [Op.product, Op.columnSums, Op.relu],
    ],
    [
      "but only one",
      (builder, [y, a, b]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.relu, y, y, 16);
        builder.forward(Op.exp, y, y, 16);
      },
      [Op.product, Op.exp],
    ],
    [
      "but not where what it reads was written without a barrier since",
      (builder, [dx, dy, w, y, x]) => {
        builder.forward(Op.tanh, y, x, 16);
        builder.product(dx, dy, w, 4, 4, 4);
        builder.backward(Op.tanhBackward, dx, dx, y, 16);
      },
      [Op.tanh, Op.product, Op.tanhBackward],
    ],
  ])("%s", (_, emit, expected) => {
    const records = recordsOf(emit);
    expect(opcodes(records)).toEqual(expected);
  });

  test("and is none otherwise", () => {
    const records = recordsOf((builder, [y, a, b]) => builder.product(y, a, b, 4, 4, 4));
    expect(records[0][Product.epilogue]).toBe(NO_EPILOGUE);
  });
});

describe("threads meet", () => {
  const barriers = (records: Uint32Array[]) => records.map((record) => record[Word.barrier]);

  test.each<[string, (builder: ProgramBuilder, matrices: number[]) => void, number[]]>([
    ["at the end of every program", (builder, [a, b]) => builder.forward(Op.relu, a, b, 16), [1]],
    [
      "not between operations that share nothing",
      (builder, [a, b, c, d]) => {
        builder.forward(Op.relu, a, b, 16);
        builder.forward(Op.relu, c, d, 16);
      },
      [0, 1],
    ],
    [
      "not between operations that only read the same",
      (builder, [a, b, c]) => {
        builder.forward(Op.relu, a, c, 16);
        builder.forward(Op.relu, b, c, 16);
      },
      [0, 1],
    ],
    [
      "before one reads what another wrote",
      (builder, [a, b, c]) => {
        builder.forward(Op.relu, a, b, 16);
        builder.forward(Op.relu, c, a, 16);
      },
      [1, 1],
    ],
    [
      "before one overwrites what another read",
      (builder, [a, b, c]) => {
        builder.forward(Op.relu, a, b, 16);
        builder.forward(Op.relu, b, c, 16);
      },
      [1, 1],
    ],
    [
      "before one overwrites what another wrote",
      (builder, [a, b, c]) => {
        builder.forward(Op.relu, a, b, 16);
        builder.forward(Op.relu, a, c, 16);
      },
      [1, 1],
    ],
    [
      "before one overwrites what a fused derivative reads",
      (builder, [dx, dy, w, y, x]) => {
        builder.product(dx, dy, w, 4, 4, 4);
        builder.backward(Op.tanhBackward, dx, dx, y, 16);
        builder.forward(Op.tanh, y, x, 16);
      },
      [1, 1],
    ],
    [
      "right before the operation that needs it, not earlier",
      (builder, [a, b, c, d, e]) => {
        builder.forward(Op.relu, a, b, 16);
        builder.forward(Op.relu, c, d, 16);
        builder.forward(Op.relu, e, a, 16);
      },
      [0, 1, 1],
    ],
    [
      "once for all operations before",
      (builder, [a, b, c, d]) => {
        builder.forward(Op.relu, a, b, 16);
        builder.forward(Op.relu, c, a, 16);
        builder.forward(Op.relu, d, a, 16);
      },
      [1, 0, 1],
    ],
    [
      "before a product reads its bias",
      (builder, [y, a, b, bias, x]) => {
        builder.forward(Op.relu, bias, x, 16);
        builder.product(y, a, b, 4, 4, 4, { start: Start.bias, bias });
      },
      [1, 1],
    ],
    [
      "before the report of a loss that another operation writes",
      (builder, [gradient, losses, hits, prediction, logits, target, statistics]) => {
        const cell = builder.cell(1);
        const buffers = { gradient, losses, hits, prediction, logits, target };
        builder.loss(Op.crossEntropy, buffers, 4, 4, cell);
        builder.report(statistics, losses, hits, 4, cell);
      },
      [1, 1],
    ],
    [
      "before a softmax in place of a product",
      (builder, [y, a, b]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.softmax(y, y, 4, 4);
      },
      [1, 1],
    ],
  ])("%s", (_, emit, expected) => {
    expect(barriers(recordsOf(emit))).toEqual(expected);
  });
});
