// Kernels by themselves: programs of one operation, on a heap of each executor.

import { bytesOf, type DType } from "../src/dtype.js";
import type { Executor } from "../src/executors/executor.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import { Heap, type Region } from "../src/heap.js";
import type { ExecutorName } from "../src/index.js";
import { Op, ProgramBuilder, Start } from "../src/program/builder.js";
import type { Work } from "./measure.js";

export interface Kernel {
  label: string;
  /** What a unit consists of: operations, counted as multiplications and additions, or elements. */
  amount: number;
  per: "operation" | "element";
  /** Emits the operation on matrices made by `input`, filled with random numbers. */
  emit(builder: ProgramBuilder, input: (rows: number, width: number) => Region): void;
}

interface Variant {
  transposed?: boolean;
  rightTransposed?: boolean;
  start?: Start;
}

function product(name: string, m: number, n: number, k: number, variant: Variant = {}): Kernel {
  return {
    label: `${name} (${m}, ${k}) x (${k}, ${n})`,
    amount: 2 * m * n * k,
    per: "operation",
    emit(builder, input) {
      const [output, left, right, bias] = [input(m, n), input(m, k), input(k, n), input(1, n)];
      builder.product(output, left, right, m, n, k, { ...variant, bias });
    },
  };
}

function activation(name: string, op: Op): Kernel {
  const size = 4096;
  return {
    label: `${name} of ${size}`,
    amount: size,
    per: "element",
    emit: (builder, input) => builder.forward(op, input(1, size), input(1, size), 1, size),
  };
}

export const kernels: readonly Kernel[] = [
  product("forward", 32, 128, 784, { start: Start.bias }),
  product("forward", 32, 10, 128, { start: Start.bias }),
  product("weight gradient", 784, 128, 32, { transposed: true, start: Start.add }),
  product("forward", 128, 512, 512, { start: Start.bias }),
  product("input gradient", 128, 512, 512, { rightTransposed: true }),
  ...[8, 16, 32, 64, 128, 256, 512, 1024].map((size) => product("square", size, size, size)),
  activation("sigmoid", Op.sigmoid),
  activation("tanh", Op.tanh),
  activation("relu", Op.relu),
  {
    label: "softmax of 256 rows of 16",
    amount: 4096,
    per: "element",
    emit: (builder, input) => builder.forward(Op.softmax, input(256, 16), input(256, 16), 256, 16),
  },
];

/** The kernel on an executor; a unit is one run of it. */
export function kernelWork(kernel: Kernel, dtype: DType, name: ExecutorName): Work {
  const options = { dtype, deterministic: false, shared: false };
  const executor: Executor = name === "wasm" ? new WasmExecutor(options) : new ReferenceExecutor(options);
  const heap = new Heap(executor, dtype);
  const builder = new ProgramBuilder(heap);
  kernel.emit(builder, (rows, width) => {
    const region = heap.region(rows * width * bytesOf(dtype));
    const values = heap.elements(region.offset, rows * width);
    for (let i = 0; i < values.length; i++) values[i] = Math.random() - 0.5;
    return region;
  });
  const program = builder.finish();
  return (count) => {
    const start = performance.now();
    executor.run(program, 0, count);
    return (performance.now() - start) / 1000;
  };
}
