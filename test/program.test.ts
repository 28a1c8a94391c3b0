// The program builder and its passes: what they fuse and fold, where threads must meet, how matrices share memory.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as ops from "../assembly/ops.js";
import {
  ColumnSums,
  Cut,
  DataType,
  Epilogue,
  Gather,
  NO_EPILOGUE,
  Operand,
  Product,
  RECORD_WORDS,
  Role,
  Start,
  Sum,
  Word,
} from "../assembly/ops.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { Heap, type Region, UNPLACED } from "../src/heap.js";
import { Op, ProgramBuilder } from "../src/program/builder.js";
import type { CompileOptions } from "../src/program/compile.js";
import { type Operation, overlap, touchesOf } from "../src/program/operation.js";
import { findPhases } from "../src/program/phases.js";
import { placeWorkspace } from "../src/program/workspace.js";

type Emit = (builder: ProgramBuilder, matrices: Region[]) => unknown;

/** The records of what `emit` emits for `threads`, with ten matrices of `rows` x 4 to use. */
function recordsOf(emit: Emit, threads = 1, rows = 4): Uint32Array[] {
  const heap = new Heap(new ReferenceExecutor({ dtype: "float64" }), "float64");
  const builder = new ProgramBuilder(heap, threads);
  const matrices = Array.from({ length: 10 }, () => heap.region(rows * 4 * 8));
  const { offset, count } = builder.finish((emit(builder, matrices) ?? {}) as Partial<CompileOptions>);
  return Array.from({ length: count }, (_, i) =>
    heap.u32.slice(offset / 4 + i * RECORD_WORDS, offset / 4 + (i + 1) * RECORD_WORDS),
  );
}

const opcodes = (records: Uint32Array[]) => records.map((record) => record[Word.opcode]);
const operand = (record: Uint32Array, position: number) => record[position & Operand.position];

/** What a loss of a batch of `rows` x 4 takes for its mean. */
const mean = (builder: ProgramBuilder) => ({ rate: builder.cell(1), factor: 1, terms: 1 });

describe("an elementwise operation becomes a product's epilogue", () => {
  test("right after it and in its place", () => {
    const records = recordsOf((builder, [y, a, b]) => {
      builder.product(y, a, b, 4, 4, 4);
      builder.forward(Op.relu, y, y, 4, 4);
    });
    expect(opcodes(records)).toEqual([Op.product]);
    expect(operand(records[0], Epilogue.op)).toBe(Op.relu);
  });

  test("with the saved output of its forward where it is a derivative", () => {
    let expected = 0;
    const records = recordsOf((builder, [dx, dy, w, y]) => {
      builder.product(dx, dy, w, 4, 4, 4);
      builder.backward(Op.tanhBackward, dx, dx, y, 4, 4);
      expected = y.offset;
    });
    expect(opcodes(records)).toEqual([Op.product]);
    expect(operand(records[0], Epilogue.op)).toBe(Op.tanhBackward);
    expect(operand(records[0], Epilogue.saved)).toBe(expected);
  });

  test.each<[string, Emit, Op[]]>([
    [
      "but not into another place",
      (builder, [y, a, b, z]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.relu, z, y, 4, 4);
      },
      [Op.product, Op.relu],
    ],
    [
      "but not of another matrix",
      (builder, [y, a, b, z]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.relu, z, z, 4, 4);
      },
      [Op.product, Op.relu],
    ],
    [
      "but not with an operation in between",
      (builder, [y, a, b, z]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.columnSums(z, y, 4, 4);
        builder.forward(Op.relu, y, y, 4, 4);
      },
      [Op.product, Op.columnSums, Op.relu],
    ],
    [
      "but only one",
      (builder, [y, a, b]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.relu, y, y, 4, 4);
        builder.forward(Op.exp, y, y, 4, 4);
      },
      [Op.product, Op.exp],
    ],
    [
      "but not one that works row by row",
      (builder, [y, a, b]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.softmax, y, y, 4, 4);
      },
      [Op.product, Op.softmax],
    ],
    [
      "but not of a gradient, whose sums may be cut by terms",
      (builder, [y, a, b]) => {
        builder.product(y, a, b, 4, 4, 4, { transposed: true });
        builder.forward(Op.relu, y, y, 4, 4);
      },
      [Op.product, Op.relu],
    ],
  ])("%s", (_, emit, expected) => {
    expect(opcodes(recordsOf(emit))).toEqual(expected);
  });

  test("and is none otherwise", () => {
    const records = recordsOf((builder, [y, a, b]) => builder.product(y, a, b, 4, 4, 4));
    expect(operand(records[0], Epilogue.op)).toBe(NO_EPILOGUE);
  });
});

describe("a step of plain SGD is folded into the gradients:", () => {
  test("what makes them adds to the parameters", () => {
    let expected: number[] = [];
    const records = recordsOf((builder, [w, b, x, d]) => {
      const [dw, db] = [builder.matrix(4, 4), builder.matrix(1, 4)];
      builder.product(dw, x, d, 4, 4, 4, { transposed: true });
      builder.columnSums(db, d, 4, 4);
      expected = [w.offset, b.offset];
      return {
        folded: new Map([
          [dw, w],
          [db, b],
        ]),
      };
    });
    expect([operand(records[0], Product.output), operand(records[1], ColumnSums.output)]).toEqual(expected);
    expect(records.map((record) => operand(record, Sum.start))).toEqual([Start.add, Start.add]);
    expect(records[0][Word.cut]).toBe(Cut.terms);
  });

  test("an operation that reads a gradient cannot be", () => {
    const emit: Emit = (builder, [w, b, x, d]) => {
      const dw = builder.matrix(4, 4);
      builder.product(dw, x, d, 4, 4, 4, { transposed: true });
      builder.columnSums(b, dw, 4, 4);
      return { folded: new Map([[dw, w]]) };
    };
    expect(() => recordsOf(emit)).toThrow("cannot be folded");
  });
});

describe("threads meet", () => {
  const meetings = (records: Uint32Array[]) => records.map((record) => record[Word.parts]);

  test.each<[string, Emit, number[]]>([
    ["at the end of every program", (builder, [a, b]) => builder.transpose(a, b, 4, 4), [1]],
    [
      "not between operations that share nothing",
      (builder, [a, b, c, d]) => {
        builder.transpose(a, b, 4, 4);
        builder.transpose(c, d, 4, 4);
      },
      [0, 1],
    ],
    [
      "not between operations that only read the same",
      (builder, [a, b, c]) => {
        builder.transpose(a, c, 4, 4);
        builder.transpose(b, c, 4, 4);
      },
      [0, 1],
    ],
    [
      "before one reads what another wrote",
      (builder, [a, b, c]) => {
        builder.transpose(a, b, 4, 4);
        builder.transpose(c, a, 4, 4);
      },
      [1, 1],
    ],
    [
      "before one overwrites what another read",
      (builder, [a, b, c]) => {
        builder.transpose(a, b, 4, 4);
        builder.transpose(b, c, 4, 4);
      },
      [1, 1],
    ],
    [
      "before one overwrites what another wrote",
      (builder, [a, b, c]) => {
        builder.transpose(a, b, 4, 4);
        builder.transpose(a, c, 4, 4);
      },
      [1, 1],
    ],
    [
      "before one overwrites what a fused derivative reads",
      (builder, [dx, dy, w, y, x]) => {
        builder.product(dx, dy, w, 4, 4, 4);
        builder.backward(Op.tanhBackward, dx, dx, y, 4, 4);
        builder.transpose(y, x, 4, 4);
      },
      [1, 1],
    ],
    [
      "before one that reads, among others, what another wrote to a part of it",
      (builder, [a, b, c]) => {
        const second = { offset: a.offset + 32, bytes: 32 };
        builder.columnSums(second, b, 4, 4);
        builder.transpose(c, a, 4, 4);
      },
      [1, 1],
    ],
    [
      "not before one that reads what lies beside what another wrote",
      (builder, [a, b, c]) => {
        const half = (index: number) => ({ offset: a.offset + 64 * index, bytes: 64 });
        builder.transpose(half(0), b, 4, 2);
        builder.transpose(c, half(1), 4, 2);
      },
      [0, 1],
    ],
    [
      "right before the operation that needs it, not earlier",
      (builder, [a, b, c, d, e]) => {
        builder.transpose(a, b, 4, 4);
        builder.transpose(c, d, 4, 4);
        builder.transpose(e, a, 4, 4);
      },
      [0, 1, 1],
    ],
    [
      "once for all operations before",
      (builder, [a, b, c, d]) => {
        builder.transpose(a, b, 4, 4);
        builder.transpose(c, a, 4, 4);
        builder.transpose(d, a, 4, 4);
      },
      [1, 0, 1],
    ],
    [
      "before a product reads its bias",
      (builder, [y, a, b, bias, x]) => {
        builder.transpose(bias, x, 4, 4);
        builder.product(y, a, b, 4, 4, 4, { start: Start.bias, bias });
      },
      [1, 1],
    ],
    [
      "before the report of a loss that another operation writes",
      (builder, [gradient, losses, hits, prediction, logits, target, statistics]) => {
        const buffers = { gradient, losses, hits, prediction, logits, target };
        builder.loss(Op.crossEntropy, buffers, 4, 4, mean(builder));
        builder.report(statistics, losses, hits, 4, builder.cell(1));
      },
      [1, 1],
    ],
    [
      "before a softmax in place of a product that is cut by columns",
      (builder, [y, a, b]) => {
        builder.product(y, a, b, 4, 4, 4);
        builder.forward(Op.softmax, y, y, 4, 4);
      },
      [1, 1],
    ],
  ])("%s", (_, emit, expected) => {
    expect(meetings(recordsOf(emit))).toEqual(expected);
  });
});

describe("threads share a phase in parts:", () => {
  const phases = (records: Uint32Array[]) =>
    records.map((record) => [record[Word.opcode], record[Word.parts]]);
  const rows = 64;

  test("rows of a batch stay with their thread from operation to operation", () => {
    const records = recordsOf(
      (builder, [x, w, h, y, target, gradient, losses, hits, prediction, data]) => {
        const visit = { order: undefined, batch: rows };
        builder.gather(x, { data, dataType: DataType.u8 }, visit, 4, rows, builder.cell(1));
        builder.oneHot(target, { classes: data }, visit, 4, rows);
        builder.product(h, x, w, rows, 4, 4);
        builder.forward(Op.relu, h, h, rows, 4);
        builder.product(y, h, w, rows, 4, 4);
        const buffers = { gradient, losses, hits, prediction, logits: y, target };
        builder.loss(Op.crossEntropy, buffers, rows, 4, mean(builder));
        builder.product(x, gradient, w, rows, 4, 4);
        builder.backward(Op.reluBackward, x, x, h, rows, 4);
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
        builder.forward(Op.softmax, y, x, rows, 4);
        builder.forward(Op.softmax, z, y, rows / 2, 4);
      },
      2,
      rows,
    );
    expect(phases(records)).toEqual([
      [Op.softmax, 8],
      [Op.softmax, 8],
    ]);
  });

  test("nor of another width, whose rows lie elsewhere", () => {
    const records = recordsOf(
      (builder, [x, y, z]) => {
        const narrow = { offset: y.offset, bytes: y.bytes / 2 };
        builder.forward(Op.softmax, y, x, rows, 4);
        builder.forward(Op.softmax, z, narrow, rows, 2);
      },
      2,
      rows,
    );
    expect(phases(records)).toEqual([
      [Op.softmax, 8],
      [Op.softmax, 8],
    ]);
  });

  test("but a product needs all rows of its right factor", () => {
    const records = recordsOf(
      (builder, [x, w, y, z]) => {
        builder.forward(Op.softmax, w, z, rows, 4);
        builder.product(y, x, w, rows, 4, rows);
      },
      2,
      rows,
    );
    expect(phases(records)).toEqual([
      [Op.softmax, 8],
      [Op.product, 8],
    ]);
  });

  test("a batch is sorted by columns beside its gathering, and waited for by the gradient alone", () => {
    const records = recordsOf(
      (builder, [d, w, y, starts, columns, data]) => {
        const samples = { starts, columns, data, dataType: DataType.u8, width: 4, capacity: 4 };
        const batch = builder.sparseMatrix(rows, 4, 4);
        builder.gatherSparse(batch, samples, { order: undefined, batch: rows }, builder.cell(1));
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

  test("what is late comes last, but on one thread at once", () => {
    const emit: Emit = (builder, [x, y, sums, z]) => {
      builder.forward(Op.softmax, y, x, rows, 4);
      builder.late(() => builder.columnSums(sums, y, rows, 4));
      builder.forward(Op.softmax, z, y, rows, 4);
    };
    expect(opcodes(recordsOf(emit, 1, rows))).toEqual([Op.softmax, Op.columnSums, Op.softmax]);
    expect(phases(recordsOf(emit, 2, rows))).toEqual([
      [Op.softmax, 0],
      [Op.softmax, 8],
      [Op.columnSums, 8],
    ]);
  });
});

/** An operation on regions: `own` ones are shared by the rows of a batch, of `rows`. */
function operation(
  {
    reads = [],
    writes = [],
    own = false,
    rows = 8,
  }: Partial<Record<"reads" | "writes", Region[]>> & {
    own?: boolean;
    rows?: number;
  },
  late = false,
): Operation {
  const operands: Operation["operands"] = [];
  for (const [i, region] of reads.entries())
    operands.push([(own ? Role.readOwn : Role.read) | (8 + i), region]);
  for (const [i, region] of writes.entries())
    operands.push([(own ? Role.writeOwn : Role.write) | (16 + i), region]);
  const cut = own ? Cut.batch : Cut.columns;
  return { op: Op.transpose, cut, count: rows, width: 1, operands, scratchBytes: 0, late };
}

const unplaced = (bytes = 64): Region => ({ offset: UNPLACED, bytes });

/** The places of the workspace of some phases, and how many bytes they take. */
function place(phases: Operation[][], kept?: Region): number {
  const heap = new Heap(new ReferenceExecutor({ dtype: "float64" }), "float64");
  const before = heap.top;
  placeWorkspace(phases, heap, kept);
  return heap.top - before;
}

describe("matrices of the workspace share a place", () => {
  test("where one is used up in a phase before the other begins", () => {
    const [a, b, c] = [unplaced(), unplaced(), unplaced()];
    const phases = [
      [operation({ writes: [a] })],
      [operation({ reads: [a], writes: [b] })],
      [operation({ reads: [b], writes: [c] })],
    ];
    expect(place(phases)).toBe(128);
    expect(c.offset).toBe(a.offset);
    expect(b.offset).not.toBe(a.offset);
  });

  test("which is as large as the largest of them", () => {
    const [a, b] = [unplaced(64), unplaced(640)];
    expect(place([[operation({ writes: [a] })], [operation({ writes: [b] })]])).toBe(640);
    expect(b.offset).toBe(a.offset);
  });

  test("not in one phase, where another part may still need the first", () => {
    const [a, b, c] = [unplaced(), unplaced(), unplaced()];
    const phase = [
      operation({ writes: [a] }),
      operation({ reads: [a], writes: [b] }),
      operation({ reads: [b], writes: [c] }),
    ];
    expect(place([phase])).toBe(192);
  });

  test("but in one phase if every part has its own rows of both", () => {
    const [a, b, c] = [unplaced(), unplaced(), unplaced()];
    const phase = [
      operation({ own: true, writes: [a] }),
      operation({ own: true, reads: [a], writes: [b] }),
      operation({ own: true, reads: [b], writes: [c] }),
    ];
    expect(place([phase])).toBe(128);
    expect(c.offset).toBe(a.offset);
  });

  test.each([
    ["of other rows", { bytes: 64, rows: 16 }],
    ["of other widths", { bytes: 128, rows: 8 }],
  ])("not if they are %s", (_, { bytes, rows }) => {
    const [a, b, c] = [unplaced(), unplaced(), unplaced(bytes)];
    const phase = [
      operation({ own: true, writes: [a] }),
      operation({ own: true, reads: [a], writes: [b] }),
      operation({ own: true, rows, writes: [c] }),
    ];
    place([phase]);
    expect(c.offset).not.toBe(a.offset);
  });

  test("never with what is needed when the program has run", () => {
    const [a, b] = [unplaced(), unplaced()];
    place([[operation({ writes: [a] })], [operation({ writes: [b] })]], a);
    expect(b.offset).not.toBe(a.offset);
  });

  test("a deep network predicts in two, whatever its depth", () => {
    const bytes = [10, 40].map((depth) => {
      const heap = new Heap(new ReferenceExecutor({ dtype: "float64" }), "float64");
      const weights = heap.region(64 * 64 * 8);
      const input = heap.region(64 * 64 * 8);
      const before = heap.top;
      const builder = new ProgramBuilder(heap);
      let x = input;
      for (let i = 0; i < depth; i++) {
        const y = builder.matrix(64, 64);
        builder.product(y, x, weights, 64, 64, 64);
        x = y;
      }
      const { count } = builder.finish({ kept: x });
      return heap.top - before - count * RECORD_WORDS * 4;
    });
    expect(bytes[1]).toBe(bytes[0]);
  });

  test("so that threads need not wait for each other once more, and nobody's content is lost", () => {
    const region = fc.integer({ min: 0, max: 11 });
    const operations = fc.array(
      fc.record({
        reads: fc.array(region, { maxLength: 2 }),
        writes: fc.array(region, { minLength: 1, maxLength: 2 }),
        own: fc.boolean(),
        rows: fc.constantFrom(4, 8),
      }),
      { minLength: 1, maxLength: 25 },
    );
    const property = fc.property(operations, (drawn) => {
      const regions = Array.from({ length: 12 }, (_, i) => unplaced(64 * (1 + (i % 3))));
      const known = new Set<number>();
      const list = drawn.map(({ reads, writes, own, rows }) => {
        // Nothing is read before it is written.
        const read = [...new Set(reads)].filter((index) => known.has(index));
        const written = [...new Set(writes)].filter((index) => !read.includes(index));
        for (const index of written) known.add(index);
        const of = (indexes: number[]) => indexes.map((index) => regions[index]);
        return operation({ reads: of(read), writes: of(written), own, rows });
      });
      const phases = findPhases(list);
      place(phases);
      expect(findPhases(list)).toEqual(phases);
      // Whoever reads finds what the last to write it, in order, has written.
      const content = new Map<number, Region>();
      for (const touches of list.map(touchesOf)) {
        for (const { region, written } of touches)
          if (!written) expect(content.get(region.offset)).toBe(region);
        for (const { region, written } of touches) if (written) content.set(region.offset, region);
      }
    });
    fc.assert(property, { numRuns: 500, seed: 1 });
  });
});

describe("regions overlap", () => {
  test.each<[Region, Region, boolean]>([
    [{ offset: 0, bytes: 64 }, { offset: 64, bytes: 64 }, false],
    [{ offset: 0, bytes: 65 }, { offset: 64, bytes: 64 }, true],
    [{ offset: 64, bytes: 64 }, { offset: 0, bytes: 256 }, true],
    [{ offset: 64, bytes: 0 }, { offset: 0, bytes: 256 }, true],
    [unplaced(), { offset: 0, bytes: 256 }, false],
    [unplaced(), unplaced(), false],
  ])("%j, %j: %j", (a, b, expected) => {
    expect(overlap(a, b)).toBe(expected);
    expect(overlap(b, a)).toBe(expected);
  });
});

describe("a record", () => {
  /** Enums of other numbers that are large enough to look like a role. */
  const others = ["Role", "Operand", "Op", "Control", "Variant"];
  /** The enums of operands: those of which a member has a role in its upper bits. */
  const enums = Object.entries(ops as unknown as Record<string, Record<string, number | string>>).filter(
    ([name, members]) =>
      !others.includes(name) &&
      typeof members === "object" &&
      Object.values(members).some((value) => typeof value === "number" && value > Operand.position),
  );
  const positions = (members: Record<string, number | string>) =>
    Object.values(members)
      .filter((value) => typeof value === "number")
      .map((value) => value & Operand.position);
  const header = 7;

  test("has a word for each operand of its operation, behind the header", () => {
    expect(enums.length).toBeGreaterThan(30);
    for (const [name, members] of enums) {
      const words = positions(members);
      expect(new Set(words).size, name).toBe(words.length);
      expect(Math.min(...words), name).toBeGreaterThanOrEqual(header);
      expect(Math.max(...words), name).toBeLessThan(RECORD_WORDS);
    }
  });

  test("has others for those that several operations have besides", () => {
    const common: Record<string, string[]> = {
      Sum: ["Product", "ColumnSums", "SparseProduct", "SparseGradient", "Epilogue"],
      Epilogue: ["Product", "SparseProduct"],
      SparseSamples: ["GatherSparse", "SortByColumn"],
    };
    const byName = Object.fromEntries(enums);
    for (const [name, others] of Object.entries(common)) {
      const own = positions(byName[name]);
      for (const other of others) {
        expect(
          positions(byName[other]).filter((word) => own.includes(word)),
          `${name}, ${other}`,
        ).toEqual([]);
      }
    }
  });

  test("holds what its operation was given", () => {
    let expected: number[] = [];
    const [record] = recordsOf((builder, [output, data, order]) => {
      const scale = builder.cell(1);
      const visit = { order, batch: 7 };
      builder.gather(output, { data, dataType: DataType.f32 }, visit, 4, 3, scale);
      expected = [output.offset, data.offset, order.offset, 7, DataType.f32, scale.offset];
    });
    const positions = [Gather.output, Gather.data, Gather.order, Gather.batch, Gather.dataType, Gather.scale];
    expect(positions.map((position) => operand(record, position))).toEqual(expected);
    expect([record[Word.cut], record[Word.count], record[Word.width]]).toEqual([Cut.batch, 3, 4]);
  });
});
