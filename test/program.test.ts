// The program builder: what it fuses, and where threads must meet.

import { describe, expect, test } from "vitest";
import * as ops from "../assembly/ops.js";
import { NO_EPILOGUE, Product, RECORD_WORDS, Start, Word } from "../assembly/ops.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { Heap } from "../src/heap.js";
import { Op, ProgramBuilder } from "../src/program.js";

/** The records of what `emit` emits for `threads`, with ten matrices of `rows` x 4 to use. */
function recordsOf(
  emit: (builder: ProgramBuilder, matrices: number[]) => void,
  threads = 1,
  rows = 4,
): Uint32Array[] {
  const heap = new Heap(new ReferenceExecutor({ dtype: "float64" }), "float64");
  const builder = new ProgramBuilder(heap, threads);
  emit(
    builder,
    Array.from({ length: 10 }, () => builder.matrix(rows, 4)),
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

describe("threads share a phase in parts:", () => {
  const phases = (records: Uint32Array[]) =>
    records.map((record) => [record[Word.opcode], record[Word.barrier]]);
  const rows = 64;

  test("rows of a batch stay with their thread from operation to operation", () => {
    const records = recordsOf(
      (builder, [x, w, h, y, target, gradient, losses, hits, prediction]) => {
        const cell = builder.cell(1);
        builder.gather(x, { data: 0, order: 0, batch: rows }, ops.DataType.u8, 4, rows, cell);
        builder.oneHot(target, { data: 0, order: 0, batch: rows }, 4, rows);
        builder.product(h, x, w, rows, 4, 4);
        builder.forward(Op.relu, h, h, rows * 4, rows);
        builder.product(y, h, w, rows, 4, 4);
        const buffers = { gradient, losses, hits, prediction, logits: y, target };
        builder.loss(Op.crossEntropy, buffers, rows, 4, cell);
        builder.product(x, gradient, w, rows, 4, 4);
        builder.backward(Op.reluBackward, x, x, h, rows * 4, rows);
        builder.product(w, x, gradient, 4, 4, rows, { transposed: true });
      },
      2,
      rows,
    );
    expect(phases(records)).toEqual([
      [Op.gather, 0],
      [Op.oneHot, 0],
      [Op.product, 0],
      [Op.product, 0],
      [Op.crossEntropy, 0],
      [Op.product, 8],
      [Op.product, 8],
    ]);
  });

  test("but not from a batch to one of another size", () => {
    const records = recordsOf(
      (builder, [x, y, z]) => {
        builder.softmax(y, x, rows, 4);
        builder.softmax(z, y, rows / 2, 4);
      },
      2,
      rows,
    );
    expect(phases(records)).toEqual([
      [Op.softmax, 8],
      [Op.softmax, 8],
    ]);
  });

  test("a batch is sorted by columns beside its gathering, and waited for by the gradient alone", () => {
    const records = recordsOf(
      (builder, [d, w, y]) => {
        const from = { starts: 0, columns: 0, capacity: 4, data: 0, order: 0, batch: rows };
        const batch = builder.sparseMatrix(rows, 4, 4);
        builder.gatherSparse(batch, from, ops.DataType.u8, builder.cell(1));
        builder.sortByColumn(batch);
        builder.product(y, batch, w, rows, 4, 4);
        builder.product(w, batch, d, 4, 4, rows, { transposed: true, start: Start.add });
      },
      2,
      rows,
    );
    expect(phases(records)).toEqual([
      [Op.gatherSparse, 0],
      [Op.sortByColumn, 0],
      [Op.sparseProduct, 8],
      [Op.sparseGradient, 8],
    ]);
  });

  test("one part a thread where each part would pack a large factor", () => {
    const records = recordsOf((builder) => {
      const [x, w, y] = [builder.matrix(rows, 128), builder.matrix(128, 128), builder.matrix(rows, 128)];
      builder.product(y, x, w, rows, 128, 128);
    }, 2);
    expect(phases(records)).toEqual([[Op.product, 2]]);
  });
});

test("every operand has a place in its record", () => {
  const places = Object.entries(ops).filter(
    ([, value]) =>
      typeof value === "object" && Object.values(value).includes(2) && !("crossEntropy" in value),
  );
  expect(places.length).toBeGreaterThan(15);
  for (const [name, operands] of places) {
    const words = Object.values(operands).filter((value) => typeof value === "number");
    expect(Math.max(...words), name).toBeLessThan(RECORD_WORDS);
  }
});
