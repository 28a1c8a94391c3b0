// The memory in every type, and the record under way: what the interpreter of the reference executor works with.

import { Operand } from "../../../assembly/ops.js";
import type { DType, FloatArray } from "../../dtype.js";
import { type Round, roundOf } from "./round.js";

/** Methods instead of closures: an interpreter that made some for each operation would spend its time collecting them. */
export class Machine {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  /** The memory in the working type. */
  readonly f: FloatArray;
  readonly round: Round;
  /** Elements of its own matrices that lie before the part under way. */
  offset = 0;
  /** log2 of the working type's bytes. */
  readonly #shift: number;
  /** Where in u32 the record under way begins. */
  #record = 0;
  #row: FloatArray;

  constructor(buffer: ArrayBuffer, dtype: DType) {
    const wide = dtype === "float64";
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.f = wide ? this.f64 : this.f32;
    this.round = roundOf(dtype);
    this.#shift = wide ? 3 : 2;
    this.#row = this.f.slice(0, 64);
  }

  /** Begins with a record. */
  open(record: number): void {
    this.#record = record;
  }

  /** A word of the header, or an operand. */
  word(operand: number): number {
    return this.u32[this.#record + (operand & Operand.position)];
  }

  /** An operand that is an offset, as an index into `f`. Elements have numbers of 31 bits. */
  element(operand: number): number {
    return (this.word(operand) >>> this.#shift) | 0;
  }

  /** As element(), where the part under way begins. */
  own(operand: number): number {
    return (this.element(operand) + this.offset) | 0;
  }

  /** As own(), or 0 where the operand is left out. */
  owned(operand: number): number {
    return this.word(operand) && this.own(operand);
  }

  /** An operand that is an offset, as an index into `u32`. */
  index(operand: number): number {
    return this.word(operand) >>> 2;
  }

  /** An operand that is an offset, `bytes` further on, as an index into `f64`. */
  rowOf(operand: number, bytes: number): number {
    return (this.word(operand) + bytes) / 8;
  }

  /** The content of an f64 cell. */
  cell(operand: number): number {
    return this.f64[this.word(operand) >>> 3];
  }

  /** A row of the working type, at least `length` long. */
  scratch(length: number): FloatArray {
    const row = this.#row;
    if (row.length >= length) return row;
    this.#row = row instanceof Float64Array ? new Float64Array(2 * length) : new Float32Array(2 * length);
    return this.#row;
  }
}
