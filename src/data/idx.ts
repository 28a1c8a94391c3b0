// IDX, the file format in which the MNIST digits are published: an array of numbers behind a short big-endian
// header that gives its element type and its shape. Reader and writer, for Node and browsers.

/** The numbers of an IDX array: one typed array class for each of the format's six element types. */
export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** An array read from an IDX file. */
export interface IdxArray {
  /** Length of each dimension, outermost first: `[60000, 28, 28]` for the MNIST training images. */
  shape: number[];
  /** The elements in row-major order (last dimension fastest), as many as the product of `shape`. */
  data: IdxData;
}

/** What the codec needs of a typed array class: its element size, and arrays made as views of bytes. */
interface IdxDataConstructor {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): IdxData;
}

/** The typed array class for each element type code, the third byte of a file. */
const arrayTypes = new Map<number, IdxDataConstructor>([
  [0x08, Uint8Array],
  [0x09, Int8Array],
  [0x0b, Int16Array],
  [0x0c, Int32Array],
  [0x0d, Float32Array],
  [0x0e, Float64Array],
]);

const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Reads an array in the IDX format, such as a file of the MNIST digits.
 *
 * The one-byte types, `Uint8Array` and `Int8Array`, are views of `bytes` without a copy: they change when
 * `bytes` does and keep all of it in memory; call `data.slice()` for an array of its own. The wider types are
 * stored big-endian and are copies in the byte order of the machine.
 *
 * @param bytes - The whole file, decompressed. A Node `Buffer` will do, it is a `Uint8Array`.
 * @returns The shape and the elements, in the typed array class of the file's element type.
 * @throws TypeError if `bytes` is neither a `Uint8Array` nor an `ArrayBuffer`.
 * @throws RangeError if `bytes` is empty, gzip-compressed, not IDX, of an unknown element type, or shorter or
 * longer than its header says.
 * @see http://yann.lecun.com/exdb/mnist/ under "The IDX file format".
 * @example
 * ```ts
 * const { shape, data } = parseIdx(readFileSync("train-images-idx3-ubyte")); // [60000, 28, 28], Uint8Array
 * ```
 */
export function parseIdx(bytes: Uint8Array | ArrayBuffer): IdxArray {
  const file = asBytes(bytes);
  if (file.length === 0) {
    throw new RangeError(
      "parseIdx: got 0 bytes, expected an IDX file; check that the file was read or downloaded in full",
    );
  }
  if (file[0] === 0x1f && file[1] === 0x8b) {
    throw new RangeError(
      "parseIdx: the first bytes are 1f 8b, expected 00 00; this is a gzip file: decompress it first, " +
        "e.g. with zlib.gunzipSync or DecompressionStream",
    );
  }
  if (file[0] !== 0 || (file.length > 1 && file[1] !== 0)) {
    throw new RangeError(
      `parseIdx: the first bytes are ${hex(file.subarray(0, 2))}, expected 00 00; this is not an IDX file: ` +
        "check that it is the right file and that the download did not return an error page",
    );
  }
  requireBytes(file, 4, "the first 4 bytes of the header");
  const arrayType = arrayTypes.get(file[2]);
  if (arrayType === undefined) {
    const known = [...arrayTypes].map(([code, { name }]) => `${hex([code])} (${name})`).join(", ");
    throw new RangeError(
      `parseIdx: unknown element type ${hex([file[2]])} in the third byte, expected one of ${known}; ` +
        "check that it is an IDX file",
    );
  }

  const rank = file[3];
  const headerLength = 4 + 4 * rank;
  requireBytes(file, headerLength, `a header of rank ${rank}`);
  const view = new DataView(file.buffer, file.byteOffset, headerLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const length = elementCount(shape);
  const end = headerLength + length * arrayType.BYTES_PER_ELEMENT;
  const contents = `shape [${shape.join(", ")}] of ${arrayType.name}`;
  requireBytes(file, end, contents);
  if (file.length > end) {
    throw new RangeError(
      `parseIdx: got ${file.length} bytes, expected ${end} for ${contents}; ` +
        `${file.length - end} trailing bytes: ` +
        `check the file, or pass bytes.slice(0, ${end}) to ignore them`,
    );
  }

  const elements = file.subarray(headerLength, end);
  if (arrayType.BYTES_PER_ELEMENT === 1) {
    return { shape, data: new arrayType(elements.buffer, elements.byteOffset, length) };
  }
  const copy = new Uint8Array(elements.length);
  copyBigEndian(elements, copy, arrayType.BYTES_PER_ELEMENT);
  return { shape, data: new arrayType(copy.buffer, 0, length) };
}

/**
 * Writes an array in the IDX format: the inverse of {@link parseIdx}.
 *
 * @param shape - Length of each dimension, outermost first: at most 255 integers from 0 to 2³² − 1. `[]` is a
 * single number.
 * @param data - The elements in row-major order (last dimension fastest), as many as the product of `shape`.
 * Its class decides the file's element type.
 * @returns The bytes of the file, not compressed: 4 + 4 × dimensions of header, then a copy of the elements.
 * @throws TypeError if `shape` is not an array, or `data` not one of the six typed arrays of {@link IdxData}.
 * @throws RangeError if `shape` is not as above, or `data` has another number of elements.
 * @see http://yann.lecun.com/exdb/mnist/ under "The IDX file format".
 * @example
 * ```ts
 * writeFileSync("labels-idx1-ubyte", formatIdx([4], Uint8Array.of(5, 0, 4, 1)));
 * ```
 */
export function formatIdx(shape: readonly number[], data: IdxData): Uint8Array {
  if (!Array.isArray(shape)) {
    throw new TypeError(
      `formatIdx: shape is ${describe(shape)}, expected an array of the dimensions' lengths, e.g. [60000, 28, 28]`,
    );
  }
  const className = classOf(data);
  const [code] = [...arrayTypes].find(([, { name }]) => name === className) ?? [];
  if (code === undefined) {
    const known = [...arrayTypes.values()].map(({ name }) => name).join(", ");
    throw new TypeError(
      `formatIdx: data is of class ${className}, expected one of ${known}; ` +
        "convert it, e.g. with Float32Array.from",
    );
  }
  if (shape.length > 255) {
    throw new RangeError(
      `formatIdx: shape has ${shape.length} dimensions, expected at most 255; merge some of them`,
    );
  }
  for (const [i, length] of shape.entries()) {
    if (!Number.isInteger(length) || length < 0 || length > 0xffffffff) {
      throw new RangeError(
        `formatIdx: shape[${i}] is ${describe(length)}, expected an integer from 0 to 4294967295; correct the shape`,
      );
    }
  }
  if (elementCount(shape) !== data.length) {
    throw new RangeError(
      `formatIdx: data has ${data.length} elements, expected ${elementCount(shape)} for shape ` +
        `[${shape.join(", ")}]; correct the shape or the data`,
    );
  }

  const headerLength = 4 + 4 * shape.length;
  const file = new Uint8Array(headerLength + data.byteLength);
  file[2] = code;
  file[3] = shape.length;
  const view = new DataView(file.buffer);
  for (const [i, length] of shape.entries()) view.setUint32(4 + 4 * i, length);
  const elements = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  copyBigEndian(elements, file.subarray(headerLength), data.BYTES_PER_ELEMENT);
  return file;
}

/** The argument of parseIdx as plain bytes, without a copy. */
function asBytes(bytes: Uint8Array | ArrayBuffer): Uint8Array {
  const className = classOf(bytes);
  if (className === "Uint8Array") return bytes as Uint8Array;
  if (className === "ArrayBuffer") return new Uint8Array(bytes as ArrayBuffer);
  throw new TypeError(
    `parseIdx: bytes is of class ${className}, expected Uint8Array or ArrayBuffer; ` +
      "pass the content of the file, e.g. readFileSync(path) or await response.arrayBuffer()",
  );
}

/** The built-in class of a value, also of another realm or a subclass: "Uint8Array" for a Buffer. */
function classOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** A wrong value as it reads in a message. */
function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "object" && value !== null ? `of class ${classOf(value)}` : String(value);
}

function requireBytes(file: Uint8Array, expected: number, what: string): void {
  if (file.length >= expected) return;
  throw new RangeError(
    `parseIdx: got ${file.length} bytes, expected ${expected} for ${what}; the file is truncated: ` +
      "download or copy it again",
  );
}

/** Product of the dimensions. Zero is looked for first: the product of the others may be Infinity. */
function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
}

/** Copies elements of `size` bytes from big-endian to the machine's byte order, or back. */
function copyBigEndian(from: Uint8Array, to: Uint8Array, size: number): void {
  if (size === 1 || !hostIsLittleEndian) {
    to.set(from);
    return;
  }
  for (let start = 0; start < from.length; start += size) {
    for (let i = 0; i < size; i++) to[start + i] = from[start + size - 1 - i];
  }
}

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
